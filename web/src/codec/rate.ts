// How many bits a .tube file takes for a chunk: its entropy, and the tables that say what is frequent.

import type { Chunk } from "../tube";
import { CHUNK_STEPS } from "./clip";

/** What a chunk costs. */
export interface ChunkRate {
  steps: number;
  positions: number;
  /** Bits of the first k channels at index k; of 32-bit numbers, where nothing is rounded. */
  bits: Float64Array;
}

/** What a file would take for the chunks of a clip that grows; of each chunk it is computed once. */
export class ChunkRates {
  private readonly known = new Map<string, ChunkRate>();

  /** `bases` are those of digits, channel by channel; none for a latent. */
  constructor(
    private readonly channels: number,
    private readonly positions: number,
    private readonly bases: number[] = [],
  ) {}

  /** Say that a step was added: its chunk takes more now. */
  added(step: number): void {
    const chunk = Math.floor(step / CHUNK_STEPS);
    for (const key of this.known.keys()) if (key.startsWith(`${chunk},`)) this.known.delete(key);
  }

  /** What the chunk of a step takes, of a clip of `length` steps; as float32 numbers without `symbolsOf`. */
  of(step: number, length: number, key: string, symbolsOf: ((step: number) => Int32Array) | null): ChunkRate {
    const chunk = Math.floor(step / CHUNK_STEPS);
    const known = this.known.get(`${chunk},${key}`);
    if (known) return known;
    const begin = chunk * CHUNK_STEPS;
    const steps = Math.min(length, begin + CHUNK_STEPS) - begin;
    const rate = this.measured(
      symbolsOf && Array.from({ length: steps }, (_, i) => symbolsOf(begin + i)),
      steps,
    );
    this.known.set(`${chunk},${key}`, rate);
    return rate;
  }

  /** The cost of the symbols of consecutive steps (each: channels, positions). */
  private measured(symbols: Int32Array[] | null, steps: number): ChunkRate {
    const { channels, positions, bases } = this;
    const bits = new Float64Array(channels + 1);
    for (let channel = 0; channel < channels; channel++) {
      const own = symbols
        ? channelBits(symbols, channel, positions, bases[channel])
        : 32 * steps * positions;
      bits[channel + 1] = bits[channel] + own;
    }
    return { steps, positions, bits };
  }
}

/** What a file takes for a chunk. */
export function rateOfChunk({ steps, parts: [part] }: Chunk, channels: number, positions: number): ChunkRate {
  const bits = new Float64Array(channels + 1).fill(8 * part.mapSize);
  for (let channel = 0; channel < channels; channel++)
    bits[channel + 1] = bits[channel] + 8 * (part.sizes[channel] ?? 0);
  return { steps, positions, bits };
}

function channelBits(symbols: Int32Array[], channel: number, positions: number, base?: number): number {
  const found = new Map<number, number>();
  for (const step of symbols) {
    for (let at = channel * positions; at < (channel + 1) * positions; at++) {
      found.set(step[at], (found.get(step[at]) ?? 0) + 1);
    }
  }
  const total = symbols.length * positions;
  let entropy = 0;
  for (const count of found.values()) entropy -= count * Math.log2(count / total);
  // Of each symbol its distance and its count, a byte or two; the checksums and length of the segment.
  const table = 8 * (10 + 2.5 * found.size);
  // Digits are stored without a table, if that is shorter.
  return base === undefined ? entropy + table : Math.min(entropy + table, 8 * 11 + total * Math.log2(base));
}
