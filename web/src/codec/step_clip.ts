// A clip that is encoded step by step, and decoded from any step.

import { AnyStep } from "./any_step";
import type { EncodedClip, Settings, Shown } from "./clip";
import { type Grouping, type Size, cellsOf, framesIn } from "./facts";
import { type Layout, latentSteps, layoutsOf } from "./layout";
import type { Decoded, Encoded, Past, StepModel } from "./model";
import { type Pixels, pixelsToStep, stepToPixels } from "./pixels";
import { type ChunkRate, ChunkRates } from "./rate";

/** What the steps of a clip consist of: parts of a latent, or tokens. */
export interface Content<S> {
  /** What is kept of what an encoder gave; `steps` are the latent steps of each part. */
  taken(values: Encoded["values"], steps: number[]): S;
  decode(step: S, settings: Settings, cells: Size, past: Past): Promise<Decoded>;
  /** As the page shows it. */
  shown(step: S, settings: Settings): Pick<Shown, "parts" | "digits">;
  /** The symbols of each part, as a file holds them; none where nothing is rounded. */
  symbols(step: S, coarseness: number): Int32Array[] | null;
}

export class StepClip<S extends { rate?: ChunkRate }> implements EncodedClip {
  readonly parts: Layout[];
  private readonly cells: Size;
  private readonly steps: S[] = [];
  private encoderPast: Past = null;
  private readonly decoder: AnyStep;
  private readonly rates: ChunkRates;

  constructor(
    private readonly model: StepModel,
    readonly size: Size,
    readonly grouping: Grouping,
    private readonly content: Content<S>,
  ) {
    const { facts } = model;
    this.parts = layoutsOf(facts, size);
    this.cells = cellsOf(facts, size);
    this.decoder = new AnyStep(facts.warm_up);
    this.rates = new ChunkRates(this.parts, facts.bases.flat());
  }

  get length(): number {
    return this.steps.length;
  }

  async push(frames: Pixels[]): Promise<void> {
    const given = pixelsToStep(frames, this.size, this.model.facts);
    const { values, past } = await this.model.encode(given, this.size, this.encoderPast);
    this.encoderPast = past;
    const steps = this.parts.map((part) => latentSteps(part, this.grouping, this.length));
    this.pushStep(this.content.taken(values, steps));
  }

  /** Take the next step from a file. */
  pushStep(step: S): void {
    this.steps.push(step);
    this.rates.added(this.steps.length - 1);
  }

  /** Decode a step; those before it as far as the network looks back, if it does not follow the last one. */
  async show(step: number, settings: Settings): Promise<Shown> {
    const { channels, coarseness } = settings;
    const decoded = await this.decoder.frames(step, `${channels.join()};${coarseness}`, (at, past) =>
      this.content.decode(this.steps[at], settings, this.cells, past),
    );
    return {
      step,
      frames: stepToPixels(decoded, this.size, this.model.facts, framesIn(this.grouping, step)),
      ...this.content.shown(this.steps[step], settings),
      rate: this.rateOf(step, coarseness),
    };
  }

  symbolsOf(step: number, coarseness: number): Int32Array[] {
    const symbols = this.content.symbols(this.steps[step], coarseness);
    if (!symbols) throw new Error("numbers that are not rounded have no symbols");
    return symbols;
  }

  /** What a file takes for the chunk that has this step. */
  private rateOf(step: number, coarseness: number): ChunkRate {
    const symbols = (at: number) => this.content.symbols(this.steps[at], coarseness);
    return this.steps[step].rate ?? this.rates.of(step, this.length, `${coarseness}`, symbols);
  }
}
