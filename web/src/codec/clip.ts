// A clip that is encoded step by step, and decoded from any step with any number of channels.

import { type Facts, type Grouping, type Size, cellsOf, framesIn } from "./facts";
import type { Past, StepModel } from "./model";
import { type Pixels, pixelsToStep, stepToPixels } from "./pixels";
import { dequantise, quantise, stepsOf } from "./quantiser";
import { type ChunkRate, chunkRate } from "./rate";

/** How a clip is decoded. */
export interface Settings {
  /** Leading channels that the decoder gets. */
  channels: number;
  /** Coarseness of the quantiser, as `tubelet encode --step`; 0 for none. */
  coarseness: number;
}

/** A decoded step. */
export interface Shown {
  step: number;
  frames: Pixels[];
  /** As the decoder got it, all channels: channels, rows, columns. */
  latent: Float32Array;
  rate: ChunkRate;
}

/** A step of a latent, as the encoder or a file gave it. */
export interface LatentStep {
  latent: Float32Array;
  /** Channels that each position has; all for none. */
  counts?: Int32Array;
  /** What its chunk takes in the file that it is from. */
  rate?: ChunkRate;
}

/** Steps whose symbols share a table in a file. */
export const CHUNK_STEPS = 32;

export class ClipCodec {
  readonly cells: Size;
  private readonly steps: LatentStep[] = [];
  private encoderPast: Past = null;
  private decoder: { step: number; key: string; past: Past } | null = null;
  private readonly rates = new Map<string, ChunkRate>();

  constructor(
    private readonly model: StepModel,
    readonly size: Size,
  ) {
    this.cells = cellsOf(model.facts, size);
  }

  /** Steps that it has. */
  get length(): number {
    return this.steps.length;
  }

  get grouping(): Grouping {
    return this.model.facts;
  }

  private get facts(): Facts {
    return this.model.facts;
  }

  private get positions(): number {
    return this.cells.height * this.cells.width;
  }

  /** Encode the frames of the next step. */
  async push(frames: Pixels[]): Promise<void> {
    const encoded = await this.model.encode(
      pixelsToStep(frames, this.size, this.facts),
      this.size,
      this.encoderPast,
    );
    this.encoderPast = encoded.past;
    this.pushLatent({ latent: encoded.latent });
  }

  /** Take the next step from a file. */
  pushLatent(step: LatentStep): void {
    this.steps.push(step);
    for (const key of this.rates.keys()) {
      if (key.startsWith(`${Math.floor((this.steps.length - 1) / CHUNK_STEPS)},`)) this.rates.delete(key);
    }
  }

  /** Decode a step; those before it as far as the network looks back, if it does not follow the last one. */
  async show(step: number, settings: Settings): Promise<Shown> {
    const key = `${settings.channels},${settings.coarseness}`;
    const follows = this.decoder !== null && this.decoder.key === key && this.decoder.step === step - 1;
    const begin = follows ? step : Math.max(0, step - this.facts.warm_up);
    let past = follows ? this.decoder!.past : null;
    for (let at = begin; ; at++) {
      const latent = this.latentOf(at, settings);
      const decoded = await this.model.decode(latent, this.countsOf(at, settings), this.cells, past);
      past = decoded.past;
      if (at < step) continue;
      this.decoder = { step, key, past };
      const frames = stepToPixels(decoded.frames, this.size, this.facts, framesIn(this.facts, step));
      return { step, frames, latent, rate: this.rateOf(step, settings.coarseness) };
    }
  }

  /** The symbols of a step, all channels. */
  symbolsOf(step: number, coarseness: number): Int32Array {
    return quantise(this.steps[step].latent, stepsOf(this.facts.coding_units, coarseness), this.positions);
  }

  private latentOf(step: number, settings: Settings): Float32Array {
    if (settings.coarseness === 0) return this.steps[step].latent;
    const steps = stepsOf(this.facts.coding_units, settings.coarseness);
    return dequantise(this.symbolsOf(step, settings.coarseness), steps, this.positions);
  }

  private countsOf(step: number, { channels }: Settings): BigInt64Array {
    const counts = new BigInt64Array(this.positions).fill(BigInt(channels));
    this.steps[step].counts?.forEach((count, at) => (counts[at] = BigInt(Math.min(count, channels))));
    return counts;
  }

  /** What a file would hold of the chunk that has this step. */
  private rateOf(step: number, coarseness: number): ChunkRate {
    const own = this.steps[step].rate;
    if (own) return own;
    const chunk = Math.floor(step / CHUNK_STEPS);
    const key = `${chunk},${coarseness}`;
    const known = this.rates.get(key);
    if (known) return known;
    const last = Math.min(this.steps.length, (chunk + 1) * CHUNK_STEPS);
    const steps = Array.from({ length: last - chunk * CHUNK_STEPS }, (_, i) => chunk * CHUNK_STEPS + i);
    const symbols = coarseness ? steps.map((at) => this.symbolsOf(at, coarseness)) : null;
    const rate = chunkRate(symbols, steps.length, this.facts.channels, this.positions);
    this.rates.set(key, rate);
    return rate;
  }
}
