// A clip that is encoded step by step, and decoded from any step with any number of channels.

import { AnyStep } from "./any_step";
import type { EncodedClip, Settings, Shown } from "./clip";
import { type Facts, type Grouping, type Size, cellsOf, framesIn } from "./facts";
import type { Past, StepModel } from "./model";
import { type Pixels, pixelsToStep, stepToPixels } from "./pixels";
import { dequantise, quantise, stepsOf } from "./quantiser";
import { type ChunkRate, ChunkRates } from "./rate";

/** A step of a latent, as the encoder or a file gave it. */
export interface LatentStep {
  latent: Float32Array;
  /** Channels that each position has; all for none. */
  counts?: Int32Array;
  /** What its chunk takes in the file that it is from. */
  rate?: ChunkRate;
}

export class LatentClip implements EncodedClip {
  readonly cells: Size;
  private readonly steps: LatentStep[] = [];
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
    this.rates = new ChunkRates(model.facts.channels, this.positions);
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
    this.pushLatent({ latent: values as Float32Array });
  }

  /** Take the next step from a file. */
  pushLatent(step: LatentStep): void {
    this.steps.push(step);
    this.rates.added(this.steps.length - 1);
  }

  /** Decode a step; those before it as far as the network looks back, if it does not follow the last one. */
  async show(step: number, settings: Settings): Promise<Shown> {
    const { channels, coarseness } = settings;
    const decoded = await this.decoder.frames(step, `${channels},${coarseness}`, (at, past) =>
      this.model.decode(this.latentOf(at, coarseness), this.countsOf(at, channels), this.cells, past),
    );
    const frames = stepToPixels(decoded, this.size, this.facts, framesIn(this.grouping, step));
    // What is kept here is not given away.
    const latent = this.latentOf(step, coarseness).slice();
    return { step, frames, latent, digits: null, rate: this.rateOf(step, coarseness) };
  }

  /** The symbols of a step, all channels. */
  symbolsOf(step: number, coarseness: number): Int32Array {
    return quantise(this.steps[step].latent, stepsOf(this.facts.coding_units, coarseness), this.positions);
  }

  private latentOf(step: number, coarseness: number): Float32Array {
    if (coarseness === 0) return this.steps[step].latent;
    const steps = stepsOf(this.facts.coding_units, coarseness);
    return dequantise(this.symbolsOf(step, coarseness), steps, this.positions);
  }

  private countsOf(step: number, channels: number): BigInt64Array {
    const counts = new BigInt64Array(this.positions).fill(BigInt(channels));
    this.steps[step].counts?.forEach((count, at) => (counts[at] = BigInt(Math.min(count, channels))));
    return counts;
  }

  /** What a file takes for the chunk that has this step. */
  private rateOf(step: number, coarseness: number): ChunkRate {
    const symbols = coarseness ? (at: number) => this.symbolsOf(at, coarseness) : null;
    return this.steps[step].rate ?? this.rates.of(step, this.length, `${coarseness}`, symbols);
  }
}
