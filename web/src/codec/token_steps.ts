// Steps of tokens on one grid, as their digits.

import type { Settings, Shown } from "./clip";
import type { Size } from "./facts";
import { type Layout, positionsOf } from "./layout";
import type { Decoded, Encoded, Past, StepModel } from "./model";
import type { ChunkRate } from "./rate";
import type { Content } from "./step_clip";
import { digitsToLevels } from "./tokens";

/** A step of tokens, as the encoder or a file gave it. */
export interface TokenStep {
  /** Digits, rows, columns. */
  digits: Int32Array<ArrayBuffer>;
  /** What its chunk takes in the file that it is from. */
  rate?: ChunkRate;
}

export class TokenSteps implements Content<TokenStep> {
  constructor(
    private readonly model: StepModel,
    private readonly part: Layout,
  ) {}

  taken([digits]: Encoded["values"]): TokenStep {
    return { digits: digits as Int32Array<ArrayBuffer> };
  }

  decode({ digits }: TokenStep, _settings: Settings, cells: Size, past: Past): Promise<Decoded> {
    return this.model.decodeDigits(digits, cells, past);
  }

  shown({ digits }: TokenStep): Pick<Shown, "parts" | "digits"> {
    const levels = digitsToLevels(digits, this.model.facts.bases, positionsOf(this.part));
    // What is kept here is not given away.
    return { parts: [levels], digits: digits.slice() };
  }

  symbols({ digits }: TokenStep): Int32Array[] {
    return [digits];
  }
}
