// A clip as a .tube file.

import { type ChunkOfSteps, writeTube } from "../tube";
import { CHUNK_STEPS, type EncodedClip } from "./clip";
import { type Facts, type Size, cellsOf, firstFrame } from "./facts";
import { stepsOf } from "./quantiser";

const CHUNK_SYMBOLS = 2 ** 21;
const TICKS = 90000;

/** What is written. */
export interface Saved {
  name: string;
  size: Size;
  /** Seconds, of every frame. */
  times: number[];
  channels: number;
  coarseness: number;
}

/** The bytes of a file of the first channels of a clip; of all its digits, if it consists of tokens. */
export function tubeOf(clip: EncodedClip, facts: Facts, saved: Saved): Uint8Array<ArrayBuffer> {
  const { bases } = facts;
  const cells = cellsOf(facts, saved.size);
  const positions = cells.height * cells.width;
  const channels = bases.length ? facts.channels : saved.channels;
  const length = Math.max(1, Math.min(CHUNK_STEPS, Math.floor(CHUNK_SYMBOLS / (channels * positions))));
  const ticks = ticksOf(saved.times);
  const chunks: ChunkOfSteps[] = [];
  for (let step = 0; step < clip.length; step += length) {
    const end = Math.min(step + length, clip.length);
    const symbols = Array.from({ length: end - step }, (_, i) =>
      clip.symbolsOf(step + i, saved.coarseness).subarray(0, channels * positions),
    );
    chunks.push({ symbols, timestamps: ticks.slice(firstFrame(facts, step), firstFrame(facts, end)) });
  }
  return writeTube(
    {
      tokenizer: facts.name,
      tokenizerSha256: facts.sha256,
      stride: facts.stride,
      leadFrame: facts.lead_frame,
      height: saved.size.height,
      width: saved.size.width,
      rows: cells.height,
      columns: cells.width,
      steps: bases.length ? [] : stepsOf(facts.coding_units, saved.coarseness).slice(0, channels),
      bases,
      timeBase: [1, TICKS],
      name: saved.name,
    },
    chunks,
  );
}

/** Times in ticks, each after the one before. */
function ticksOf(times: number[]): number[] {
  let last = -1;
  return times.map((time) => (last = Math.max(last + 1, Math.round(time * TICKS))));
}
