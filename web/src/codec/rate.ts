// How many bits a .tube file takes for a chunk: its entropy, and the tables that say what is frequent.

import type { Chunk } from "../tube";

/** What a chunk costs. */
export interface ChunkRate {
  steps: number;
  positions: number;
  /** Bits of the first k channels at index k; of 32-bit numbers, where nothing is rounded. */
  bits: Float64Array;
}

/** The cost of the symbols of consecutive steps (each: channels, positions); of float32 numbers for none. */
export function chunkRate(
  symbols: Int32Array[] | null,
  steps: number,
  channels: number,
  positions: number,
): ChunkRate {
  const bits = new Float64Array(channels + 1);
  for (let channel = 0; channel < channels; channel++) {
    const own = symbols ? channelBits(symbols, channel, positions) : 32 * steps * positions;
    bits[channel + 1] = bits[channel] + own;
  }
  return { steps, positions, bits };
}

/** What a file takes for a chunk. */
export function rateOfChunk({ steps, parts: [part] }: Chunk, channels: number, positions: number): ChunkRate {
  const bits = new Float64Array(channels + 1).fill(8 * part.mapSize);
  for (let channel = 0; channel < channels; channel++)
    bits[channel + 1] = bits[channel] + 8 * (part.sizes[channel] ?? 0);
  return { steps, positions, bits };
}

function channelBits(symbols: Int32Array[], channel: number, positions: number): number {
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
  return entropy + table;
}
