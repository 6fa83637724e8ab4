// Between pixels as a canvas has them (RGBA, 8 bits) and the tensors of a step (1 x 3t x H x W in [-1, 1]).

import { type Facts, type Size, cellsOf } from "./facts";

/** Pixels of one frame, row by row, four bytes each. */
export type Pixels = Uint8ClampedArray<ArrayBuffer>;

const LEVELS = Float32Array.from(
  { length: 256 },
  (_, level) => Math.fround(level * Math.fround(1 / 127.5)) - 1,
);

/** The frames of a step; sides and steps that are not full repeat what is last. */
export function pixelsToStep(frames: Pixels[], size: Size, facts: Facts): Float32Array {
  const [t, h, w] = facts.stride;
  const cells = cellsOf(facts, size);
  const height = cells.height * h,
    width = cells.width * w;
  const step = new Float32Array(3 * t * height * width);
  let at = 0;
  for (let frame = 0; frame < t; frame++) {
    const pixels = frames[Math.min(frame, frames.length - 1)];
    for (let colour = 0; colour < 3; colour++) {
      for (let row = 0; row < height; row++) {
        const begin = 4 * Math.min(row, size.height - 1) * size.width + colour;
        for (let column = 0; column < size.width; column++) step[at++] = LEVELS[pixels[begin + 4 * column]];
        const last = step[at - 1];
        for (let column = size.width; column < width; column++) step[at++] = last;
      }
    }
  }
  return step;
}

/** The frames of a decoded step: one, the mean of all, where a frame was repeated to fill it. */
export function stepToPixels(step: Float32Array, size: Size, facts: Facts, frames: number): Pixels[] {
  const [t, h, w] = facts.stride;
  const cells = cellsOf(facts, size);
  const height = cells.height * h,
    width = cells.width * w;
  const plane = height * width;
  const source = frames === t ? step : meanFrame(step, t, 3 * plane);
  return Array.from({ length: frames }, (_, frame) => {
    const pixels: Pixels = new Uint8ClampedArray(4 * size.height * size.width).fill(255);
    for (let colour = 0; colour < 3; colour++) {
      const begin = (3 * frame + colour) * plane;
      for (let row = 0; row < size.height; row++) {
        let to = 4 * row * size.width + colour;
        const from = begin + row * width;
        for (let column = 0; column < size.width; column++, to += 4) {
          // The array clamps, and rounds halves to even.
          pixels[to] = (source[from + column] + 1) * 127.5;
        }
      }
    }
    return pixels;
  });
}

function meanFrame(step: Float32Array, t: number, numbers: number): Float32Array {
  return Float32Array.from({ length: numbers }, (_, i) => {
    let sum = 0;
    for (let frame = 0; frame < t; frame++) sum += step[frame * numbers + i];
    return sum / t;
  });
}
