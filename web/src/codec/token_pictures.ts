// Tokens of another tokenizer as pictures: none is needed to see where tokens repeat, and what moves.

import { type Tube, TubeError } from "../tube";
import type { Clip, Settings, Shown } from "./clip";
import { type Grouping, type Size, framesIn, groupingOf } from "./facts";
import { layoutsOfTube, tokenStepsOf } from "./from_tube";
import { type Layout, positionsOf } from "./layout";
import type { Pixels } from "./pixels";
import type { TokenStep } from "./token_steps";
import { digitsToLevels, tokenColours } from "./tokens";

export class TokenPictures implements Clip {
  readonly grouping: Grouping;
  readonly size: Size;
  readonly parts: Layout[];
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
    this.parts = layoutsOfTube(tube.header, null);
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
    const levels = digitsToLevels(digits, this.bases, positionsOf(this.parts[0]));
    return { step, frames, parts: [levels], digits: digits.slice(), rate };
  }

  /** Every position in the colour of its token. */
  private picture(digits: Int32Array): Pixels {
    const { parts, size, grouping } = this;
    const [, h, w] = grouping.stride;
    const { columns } = parts[0];
    const colours = tokenColours(digits, this.bases, positionsOf(parts[0]));
    const pixels: Pixels = new Uint8ClampedArray(4 * size.height * size.width);
    for (let row = 0; row < size.height; row++) {
      const begin = Math.floor(row / h) * columns;
      for (let column = 0; column < size.width; column++)
        pixels.set(colours[begin + Math.floor(column / w)], 4 * (row * size.width + column));
    }
    return pixels;
  }
}
