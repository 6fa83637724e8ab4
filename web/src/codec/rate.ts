// How many bits a .tube file takes for a chunk: its entropy, and the tables that say what is frequent.

import type { Chunk } from "../tube";
import { CHUNK_STEPS } from "./clip";
import { type Layout, positionsOf } from "./layout";

/** What a chunk costs. */
export interface ChunkRate {
  steps: number;
  /** Of each part, the bits of its first k channels at index k; of 32-bit numbers, where nothing is rounded. */
  parts: Float64Array[];
}

/** What a file would take for the chunks of a clip that grows; of each chunk it is computed once. */
export class ChunkRates {
  private readonly known = new Map<string, ChunkRate>();

  /** `bases` are those of digits, channel by channel; none for a latent. */
  constructor(
    private readonly parts: Layout[],
    private readonly bases: number[] = [],
  ) {}

  /** Say that a step was added: its chunk takes more now. */
  added(step: number): void {
    const chunk = Math.floor(step / CHUNK_STEPS);
    for (const key of this.known.keys()) if (key.startsWith(`${chunk},`)) this.known.delete(key);
  }

  /** What the chunk of a step takes, of a clip of `length` steps; as float32 numbers where there are no symbols. */
  of(step: number, length: number, key: string, symbolsOf: (step: number) => Int32Array[] | null): ChunkRate {
    const chunk = Math.floor(step / CHUNK_STEPS);
    const known = this.known.get(`${chunk},${key}`);
    if (known) return known;
    const begin = chunk * CHUNK_STEPS;
    const steps = Math.min(length, begin + CHUNK_STEPS) - begin;
    const rate = this.measured(Array.from({ length: steps }, (_, i) => symbolsOf(begin + i)));
    this.known.set(`${chunk},${key}`, rate);
    return rate;
  }

  /** The cost of the parts of consecutive steps. */
  private measured(steps: (Int32Array[] | null)[]): ChunkRate {
    const { parts, bases } = this;
    const bits = parts.map((part, i) => {
      const symbols = steps.map((step) => step && step[i]);
      return summed(part.channels, (channel) => channelBits(symbols, channel, part, bases[channel]));
    });
    return { steps: steps.length, parts: bits };
  }
}

/** What a file takes for a chunk. */
export function rateOfChunk({ steps, parts }: Chunk, layouts: Pick<Layout, "channels">[]): ChunkRate {
  const bits = parts.map(({ sizes, mapSize }, i) =>
    summed(layouts[i].channels, (channel) => 8 * (sizes[channel] ?? 0), 8 * mapSize),
  );
  return { steps, parts: bits };
}

/** Bits of the first k channels at index k. */
function summed(channels: number, bitsOf: (channel: number) => number, begin = 0): Float64Array {
  const bits = new Float64Array(channels + 1).fill(begin);
  for (let channel = 0; channel < channels; channel++) bits[channel + 1] = bits[channel] + bitsOf(channel);
  return bits;
}

/** Of consecutive steps: latent steps, channels, positions. Of those without symbols, as float32 numbers. */
function channelBits(steps: (Int32Array | null)[], channel: number, part: Layout, base?: number): number {
  const found = new Map<number, number>();
  const positions = positionsOf(part);
  let total = 0;
  for (const symbols of steps) {
    if (!symbols) total += part.steps * positions;
    else
      for (let begin = channel * positions; begin < symbols.length; begin += part.channels * positions) {
        for (let at = begin; at < begin + positions; at++)
          found.set(symbols[at], (found.get(symbols[at]) ?? 0) + 1);
        total += positions;
      }
  }
  if (!found.size) return 32 * total;
  let entropy = 0;
  for (const count of found.values()) entropy -= count * Math.log2(count / total);
  // Of each symbol its distance and its count, a byte or two; the checksums and length of the segment.
  const table = 8 * (10 + 2.5 * found.size);
  // Digits are stored without a table, if that is shorter.
  return base === undefined ? entropy + table : Math.min(entropy + table, 8 * 11 + total * Math.log2(base));
}
