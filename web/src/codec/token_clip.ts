// A clip that is encoded to tokens step by step, and decoded from any step.

import { AnyStep } from "./any_step";
import type { EncodedClip, Settings, Shown } from "./clip";
import { type Facts, type Grouping, type Size, cellsOf, framesIn } from "./facts";
import type { TokenStep } from "./from_tube";
import type { Past, StepModel } from "./model";
import { type Pixels, pixelsToStep, stepToPixels } from "./pixels";
import { ChunkRates } from "./rate";
import { digitsToLevels } from "./tokens";

export class TokenClip implements EncodedClip {
  readonly cells: Size;
  private readonly steps: TokenStep[] = [];
  private encoderPast: Past = null;
  private readonly decoder: AnyStep;
  private readonly rates: ChunkRates;

  constructor(
    private readonly model: StepModel,
    readonly size: Size,
    readonly grouping: Grouping,
  ) {
    this.cells = cellsOf(model.facts, size);
    this.decoder = new AnyStep(model.facts.warm_up);
    this.rates = new ChunkRates(model.facts.channels, this.positions, model.facts.bases.flat());
  }

  get length(): number {
    return this.steps.length;
  }

  private get facts(): Facts {
    return this.model.facts;
  }

  private get positions(): number {
    return this.cells.height * this.cells.width;
  }

  async push(frames: Pixels[]): Promise<void> {
    const { values, past } = await this.model.encode(
      pixelsToStep(frames, this.size, this.facts),
      this.size,
      this.encoderPast,
    );
    this.encoderPast = past;
    this.pushTokens({ digits: values as Int32Array });
  }

  /** Take the next step from a file. */
  pushTokens(step: TokenStep): void {
    this.steps.push(step);
    this.rates.added(this.steps.length - 1);
  }

  async show(step: number, _settings: Settings): Promise<Shown> {
    const decoded = await this.decoder.frames(step, "", (at, past) =>
      this.model.decodeDigits(this.symbolsOf(at), this.cells, past),
    );
    const frames = stepToPixels(decoded, this.size, this.facts, framesIn(this.grouping, step));
    const { digits, rate } = this.steps[step];
    return {
      step,
      frames,
      latent: digitsToLevels(digits, this.facts.bases, this.positions),
      // What is kept here is not given away.
      digits: digits.slice(),
      rate: rate ?? this.rates.of(step, this.length, "", (at) => this.symbolsOf(at)),
    };
  }

  symbolsOf(step: number): Int32Array {
    return this.steps[step].digits;
  }
}
