// The prior of files of the page's tokenizer, fetched when the first file names one.

import { fetchBytes } from "../fetching";
import { type PriorFacts, readPriors } from "../prior";
import type { Prior } from "../tube";

let known: Promise<Prior | null> | null = null;

/** The prior that lies beside the page; none, if files of its tokenizer have none. */
export function priorBeside(base: string): Promise<Prior | null> {
  known ??= load(base);
  // What could not be fetched is asked for again.
  known.catch(() => (known = null));
  return known;
}

async function load(base: string): Promise<Prior | null> {
  const [facts, bytes] = await Promise.all([
    fetchBytes(new URL("priors.json", base).href),
    fetchBytes(new URL("priors.bin.gz", base).href),
  ]);
  return readPriors(JSON.parse(new TextDecoder().decode(facts)) as PriorFacts[], bytes);
}
