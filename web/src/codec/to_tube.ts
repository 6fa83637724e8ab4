// A clip as a .tube file.

import { type ChunkOfSteps, type WrittenPart, writeTube } from "../tube";
import { CHUNK_STEPS, type EncodedClip, type Settings } from "./clip";
import { type Facts, type Size, firstFrame } from "./facts";
import { quantiserOf, unitsOf } from "./latent_steps";
import { type Layout, latentSteps, layoutsOf, positionsOf } from "./layout";

const CHUNK_SYMBOLS = 2 ** 21;
const TICKS = 90000;

/** What is written. */
export interface Saved extends Settings {
  name: string;
  size: Size;
  /** Seconds, of every frame. */
  times: number[];
}

/** The bytes of a file of the first channels of each part of a clip; of all its digits, if it consists of tokens. */
export function tubeOf(clip: EncodedClip, facts: Facts, saved: Saved): Uint8Array<ArrayBuffer> {
  const layouts = layoutsOf(facts, saved.size);
  const parts = writtenParts(layouts, facts, saved);
  const ofStep = layouts.reduce(
    (sum, layout, i) => sum + layout.steps * parts[i].channels * positionsOf(layout),
    0,
  );
  const length = Math.max(1, Math.min(CHUNK_STEPS, Math.floor(CHUNK_SYMBOLS / ofStep)));
  const ticks = ticksOf(saved.times);
  const chunks: ChunkOfSteps[] = [];
  for (let step = 0; step < clip.length; step += length) {
    const end = Math.min(step + length, clip.length);
    const symbols = Array.from({ length: end - step }, (_, i) =>
      clip.symbolsOf(step + i, saved.coarseness),
    );
    chunks.push({
      steps: end - step,
      symbols: layouts.map((layout, i) => {
        const sizes = symbols.map((_, at) => latentSteps(layout, facts, step + at));
        return byChannel(symbols.map((each) => each[i]), sizes, layout, parts[i].channels);
      }),
      timestamps: ticks.slice(firstFrame(facts, step), firstFrame(facts, end)),
    });
  }
  return writeTube(
    {
      tokenizer: facts.name,
      tokenizerSha256: facts.sha256,
      stride: facts.stride,
      leadFrame: facts.lead_frame,
      height: saved.size.height,
      width: saved.size.width,
      parts,
      timeBase: [1, TICKS],
      name: saved.name,
    },
    chunks,
  );
}

function writtenParts(layouts: Layout[], facts: Facts, { channels, coarseness }: Saved): WrittenPart[] {
  const { bases } = facts;
  const units = unitsOf(facts, layouts);
  return layouts.map((layout, i) => {
    const kept = bases.length ? layout.channels : channels[i];
    const { name, stride, rows, columns } = layout;
    const steps = bases.length ? [] : quantiserOf(layout, units[i], coarseness).slice(0, kept);
    return { name, stride, rows, columns, bases, steps, channels: kept };
  });
}

/** The first channels of consecutive steps of a part, each of so many latent steps, as a file has them: channel by channel. */
function byChannel(steps: Int32Array[], sizes: number[], layout: Layout, channels: number): Int32Array {
  const positions = positionsOf(layout);
  const length = sizes.reduce((sum, size) => sum + size, 0);
  const found = new Int32Array(channels * length * positions);
  let before = 0;
  steps.forEach((symbols, i) => {
    for (let step = 0; step < sizes[i]; step++, before++) {
      for (let channel = 0; channel < channels; channel++) {
        const begin = (step * layout.channels + channel) * positions;
        found.set(symbols.subarray(begin, begin + positions), (channel * length + before) * positions);
      }
    }
  });
  return found;
}

/** Times in ticks, each after the one before. */
function ticksOf(times: number[]): number[] {
  let last = -1;
  return times.map((time) => (last = Math.max(last + 1, Math.round(time * TICKS))));
}
