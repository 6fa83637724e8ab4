// Tokens of another tokenizer as pictures: none is needed to see where tokens repeat, and what moves.

import { type Tube, TubeError } from "../tube";
import type { Clip, Settings, Shown } from "./clip";
import { type Grouping, type Size, framesIn, groupingOf } from "./facts";
import { type TokenStep, tokenStepsOf } from "./from_tube";
import type { Pixels } from "./pixels";
import { digitsToLevels, tokenColours } from "./tokens";

export class TokenPictures implements Clip {
  readonly grouping: Grouping;
  readonly size: Size;
  readonly cells: Size;
  private readonly bases: number[][];
  private readonly steps: Required<TokenStep>[];

  /** Fails with `TubeError` where tokens lie on several grids. */
  constructor(tube: Tube) {
    const { parts, stride, height, width } = tube.header;
    const [part] = parts;
    if (parts.length > 1 || part.stride.some((side, i) => side !== stride[i])) {
      throw new TubeError("the file holds tokens on several grids, and this page shows those on one");
    }
    this.grouping = groupingOf(tube.header);
    this.size = { height, width };
    this.cells = { height: part.rows, width: part.columns };
    this.bases = part.bases;
    this.steps = tokenStepsOf(tube);
  }

  get length(): number {
    return this.steps.length;
  }

  async show(step: number, _settings: Settings): Promise<Shown> {
    const { digits, rate } = this.steps[step];
    const picture = this.picture(digits);
    const frames = Array.from({ length: framesIn(this.grouping, step) }, () => picture.slice());
    const latent = digitsToLevels(digits, this.bases, this.cells.height * this.cells.width);
    return { step, frames, latent, digits: digits.slice(), rate };
  }

  /** Every position in the colour of its token. */
  private picture(digits: Int32Array): Pixels {
    const { cells, size, grouping } = this;
    const [, h, w] = grouping.stride;
    const colours = tokenColours(digits, this.bases, cells.height * cells.width);
    const pixels: Pixels = new Uint8ClampedArray(4 * size.height * size.width);
    for (let row = 0; row < size.height; row++) {
      const begin = Math.floor(row / h) * cells.width;
      for (let column = 0; column < size.width; column++)
        pixels.set(colours[begin + Math.floor(column / w)], 4 * (row * size.width + column));
    }
    return pixels;
  }
}
