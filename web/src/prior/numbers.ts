// The integers that a prior computes with (tubelet.priors.numbers); they never change under the same prior.

/** Of everything that the first layer sees. */
const LARGEST_INPUT = 127;
/** What stands for 1 there. */
export const INPUT_UNIT = 64;
export const LARGEST_HIDDEN = 255;
/** Of a symbol that the linear prediction sees. */
export const LARGEST_LINEAR = 1023;
/** Parts of a symbol in which means are given, and what the network adds to one at most. */
export const MEAN_UNIT = 8;
export const LARGEST_MEAN = 255;
export const GATE_UNIT = 64;
/** Parts of a symbol in which the linear prediction is given. */
export const LINEAR_UNIT = 16;
/** Classes of scale, the first of which is at this place. */
export const SCALES = 44;
export const LEAST_SCALE = -16;
/** Classes of the quantiser's step, where 0 is the usual one. */
const LEAST_STEP = -4,
  LARGEST_STEP = 12;
/** Classes of counts: the least number of channels of each. */
export const COUNT_CLASSES = [1, 2, 4, 8, 16, 32, 64];

/** What the network sees of a magnitude; the last one of all larger ones too. */
export const MAGNITUDES = companding(244, 16);
/** What it sees of the average of such numbers over a step, in sixteenths. */
export const AVERAGES = companding(16 * LARGEST_INPUT, 11);

/** round(n log2(1 + m)) for m up to `most`, by whole numbers alone. */
function companding(most: number, perDoubling: number): Int32Array {
  return Int32Array.from({ length: most + 1 }, (_, m) => {
    const digits = (BigInt(1 + m) ** BigInt(2 * perDoubling)).toString(2).length;
    return Math.min(digits >> 1, LARGEST_INPUT);
  });
}

export const sizeSeen = (magnitude: number) => MAGNITUDES[Math.min(Math.abs(magnitude), 244)];

export const clip = (value: number, least: number, most: number) => Math.max(least, Math.min(most, value));

/** Which class of coarseness the quantiser steps of a file's channels have, in the mean; digits have the usual one. */
export function stepClass(steps: number[], usual: number[]): number {
  if (!steps.length) return -LEAST_STEP;
  const sum = steps.reduce((all, step, i) => all + classOf(BigInt(step), BigInt(usual[i])), 0);
  return Math.floor((2 * sum + steps.length) / (2 * steps.length)) - LEAST_STEP;
}

/** The nearest of four per doubling: (step / usual)^8 >= 2^(2k - 1) for class k. */
function classOf(step: bigint, usual: bigint): number {
  const power = (step ** 8n << 8n) * 2n,
    own = usual ** 8n;
  let found = LEAST_STEP;
  for (let k = LEAST_STEP + 1; k <= LARGEST_STEP; k++)
    if (power >= own << BigInt(2 * (k - LEAST_STEP))) found++;
  return found;
}
