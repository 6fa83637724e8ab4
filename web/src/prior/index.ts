// Priors, as they lie beside the page: one that a file may name, with those of its other parts.

import type { PartHeader, Prior } from "../tube";
import type { SymbolModel } from "../tube/modelled";
import { Arrays } from "./arrays";
import { type ContextConfig, ContextPrior } from "./context";
import { type MotionConfig, MotionPrior } from "./motion";

/** What `priors.json` says of a prior: of vectors, or a network. */
export type PriorFacts = {
  sha256: string;
  /** Bytes of its arrays in `priors.bin.gz`, where those of all priors are one after the other. */
  size: number;
} & ({ kind: "motion"; config: MotionConfig } | { kind?: undefined; config: ContextConfig });

/** The first prior of a list, and for what it does not know those that follow; none of an empty list. */
export function readPriors(facts: PriorFacts[], bytes: Uint8Array): Prior | null {
  let begin = 0;
  const priors = facts.map((own) => {
    const arrays = new Arrays(bytes.subarray(begin, (begin += own.size)));
    return own.kind === "motion"
      ? new MotionPrior(own.config, own.sha256, arrays)
      : new ContextPrior(own.config, own.sha256, arrays);
  });
  if (!priors.length) return null;
  const [{ name, sha256 }] = priors;
  const modelOf = (part: PartHeader) =>
    priors.reduce<SymbolModel | null>((found, prior) => found ?? prior.modelOf(part), null);
  return { name, sha256, modelOf };
}
