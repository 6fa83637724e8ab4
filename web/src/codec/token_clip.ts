// A file of tokens as pictures: no tokenizer is needed to see where tokens repeat, and what moves.

import { type Tube, TubeError } from "../tube";
import type { Settings, Shown } from "./clip";
import { type Grouping, type Size, framesIn } from "./facts";
import type { Pixels } from "./pixels";
import { type ChunkRate, rateOfChunk } from "./rate";

interface Place {
  chunk: number;
  step: number;
}

export class TokenClip {
  readonly grouping: Grouping;
  readonly size: Size;
  readonly cells: Size;
  private readonly places: Place[];
  private readonly rates: ChunkRate[];

  /** Fails with `TubeError` where tokens lie on several grids. */
  constructor(private readonly tube: Tube) {
    const { parts, stride, leadFrame, height, width } = tube.header;
    const [part] = parts;
    if (parts.length > 1 || part.stride.some((side, i) => side !== stride[i])) {
      throw new TubeError("the file holds tokens on several grids, and this page shows those on one");
    }
    this.grouping = { stride, lead_frame: leadFrame };
    this.size = { height, width };
    this.cells = { height: part.rows, width: part.columns };
    this.places = tube.chunks.flatMap(({ steps }, chunk) =>
      Array.from({ length: steps }, (_, step) => ({ chunk, step })),
    );
    this.rates = tube.chunks.map((chunk) => rateOfChunk(chunk, part.channels, part.rows * part.columns));
  }

  get length(): number {
    return this.places.length;
  }

  show(step: number, _settings: Settings): Shown {
    const { chunk, step: inside } = this.places[step];
    const digits = this.digitsOf(chunk, inside);
    const picture = this.picture(digits);
    const frames = Array.from({ length: framesIn(this.grouping, step) }, () => picture.slice());
    return { step, frames, latent: this.levels(digits), rate: this.rates[chunk] };
  }

  /** The digits of a step: channels, rows, columns. */
  private digitsOf(chunk: number, step: number): Int32Array {
    const positions = this.cells.height * this.cells.width;
    const { symbols, steps } = this.tube.chunks[chunk].parts[0];
    const channels = symbols.length / (steps * positions);
    const digits = new Int32Array(channels * positions);
    for (let channel = 0; channel < channels; channel++) {
      const begin = (channel * steps + step) * positions;
      digits.set(symbols.subarray(begin, begin + positions), channel * positions);
    }
    return digits;
  }

  /** Every position in the colour of its token. */
  private picture(digits: Int32Array): Pixels {
    const {
      cells,
      size,
      grouping: {
        stride: [, h, w],
      },
    } = this;
    const positions = cells.height * cells.width;
    const colours = Array.from({ length: positions }, (_, at) => colourOf(digits, at, positions));
    const pixels: Pixels = new Uint8ClampedArray(4 * size.height * size.width);
    for (let row = 0; row < size.height; row++) {
      for (let column = 0; column < size.width; column++) {
        pixels.set(
          colours[Math.floor(row / h) * cells.width + Math.floor(column / w)],
          4 * (row * size.width + column),
        );
      }
    }
    return pixels;
  }

  /** Digits as numbers around zero, as the channels of a latent are drawn. */
  private levels(digits: Int32Array): Float32Array {
    const positions = this.cells.height * this.cells.width;
    const bases = this.tube.header.parts[0].bases.flat();
    return Float32Array.from(
      digits,
      (digit, at) => (5 * digit) / (bases[Math.floor(at / positions)] - 1) - 2.5,
    );
  }
}

/** A colour that the digits of a token decide; others give another one, as good as always. */
function colourOf(digits: Int32Array, at: number, positions: number): [number, number, number, number] {
  let hash = 0x811c9dc5;
  for (let i = at; i < digits.length; i += positions)
    hash = Math.imul(hash ^ digits[i], 0x01000193) ^ (hash >>> 15);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  const level = (shift: number) => 40 + (((hash >>> shift) & 255) * 200) / 255;
  return [level(0), level(8), level(16), 255];
}
