// Steps of a latent, of one part or several.

import type { Settings, Shown } from "./clip";
import type { Facts, Size } from "./facts";
import { type Layout, filled, positionsOf, trimmed } from "./layout";
import type { Decoded, Encoded, Past, StepModel } from "./model";
import { dequantise, quantise, stepsOf } from "./quantiser";
import type { ChunkRate } from "./rate";
import type { Content } from "./step_clip";

/** A part of a step, as the encoder or a file gave it. */
export interface PartStep {
  /** Latent steps, channels, rows, columns. */
  values: Float32Array<ArrayBuffer>;
  /** Channels that each position has (latent steps, rows, columns); all for none. */
  counts?: Int32Array;
}

export interface LatentStep {
  parts: PartStep[];
  /** What its chunk takes in the file that it is from. */
  rate?: ChunkRate;
}

export class LatentSteps implements Content<LatentStep> {
  /** Of the channels of each part. */
  private readonly units: number[][];

  constructor(
    private readonly model: StepModel,
    private readonly parts: Layout[],
  ) {
    this.units = unitsOf(model.facts, parts);
  }

  taken(values: Encoded["values"], steps: number[]): LatentStep {
    const parts = values.map((each, i) => ({
      values: trimmed(each as Float32Array<ArrayBuffer>, this.parts[i], steps[i]),
    }));
    return { parts };
  }

  decode(step: LatentStep, settings: Settings, cells: Size, past: Past): Promise<Decoded> {
    const given = this.rounded(step, settings.coarseness).map((values, i) => {
      const part = this.parts[i];
      const counts = countsOf(step.parts[i], part, settings.channels[i]);
      const steps = counts.length / positionsOf(part);
      return { values: filled(values, part, steps), counts: filled(counts, part, steps) };
    });
    return this.model.decode(given, cells, past);
  }

  shown(step: LatentStep, { coarseness }: Settings): Pick<Shown, "parts" | "digits"> {
    // What is kept here is not given away.
    return { parts: this.rounded(step, coarseness).map((values) => values.slice()), digits: null };
  }

  symbols(step: LatentStep, coarseness: number): Int32Array[] | null {
    if (coarseness === 0) return null;
    return step.parts.map(({ values }, i) =>
      quantise(values, this.quantiser(i, coarseness), positionsOf(this.parts[i])),
    );
  }

  /** The numbers of each part, as a file would give them back. */
  private rounded(step: LatentStep, coarseness: number): Float32Array<ArrayBuffer>[] {
    const symbols = this.symbols(step, coarseness);
    if (!symbols) return step.parts.map(({ values }) => values);
    return symbols.map((own, i) =>
      dequantise(own, this.quantiser(i, coarseness), positionsOf(this.parts[i])),
    );
  }

  private quantiser(part: number, coarseness: number): number[] {
    return quantiserOf(this.parts[part], this.units[part], coarseness);
  }
}

/** Steps of the channels of a part in units of 2^-20; no coarseness changes those of an exact one. */
export function quantiserOf(part: Layout, units: number[], coarseness: number): number[] {
  return stepsOf(units, part.exact ? 1 : coarseness);
}

/** The coding units of the channels of each part. */
export function unitsOf(facts: Facts, parts: Layout[]): number[][] {
  let begin = 0;
  return parts.map(({ channels }) => facts.coding_units.slice(begin, (begin += channels)));
}

function countsOf({ values, counts }: PartStep, part: Layout, channels: number): BigInt64Array {
  const known = new BigInt64Array(values.length / part.channels).fill(BigInt(channels));
  counts?.forEach((count, at) => (known[at] = BigInt(Math.min(count, channels))));
  return known;
}
