// An exported tokenizer, run by onnxruntime: one step of frames at a time, with its state in sight.

import type * as ort from "onnxruntime-web/wasm";
import { type Facts, type Size, cellsOf, partsOf } from "./facts";
import { fetchBytes } from "../fetching";
import { layoutsOf } from "./layout";
import { type Runtime, loadRuntime } from "./runtime";

/** What a network remembers from step to step; none before the first. */
export type Past = ort.Tensor | null;

export interface Encoded {
  /** Each part of a latent; digits, if the tokenizer is discrete. Latent steps, channels, rows, columns. */
  values: (Float32Array | Int32Array)[];
  past: Past;
}

/** A part of a latent that is decoded; of each position the first `counts` channels are looked at. */
export interface GivenPart {
  /** Latent steps, channels, rows, columns. */
  values: Float32Array;
  /** Latent steps, rows, columns. */
  counts: BigInt64Array;
}

export interface Decoded {
  /** Frames and colours, rows, columns, in [-1, 1]. */
  frames: Float32Array;
  past: Past;
}

export class StepModel {
  private constructor(
    /** Where the page is. */
    readonly base: string,
    readonly facts: Facts,
    readonly runtime: Runtime,
    private readonly encoder: ort.InferenceSession,
    private readonly decoder: ort.InferenceSession,
  ) {}

  /** Load a runtime and a tokenizer from beside the page; fails where the runtime cannot compute it. */
  static async load(base: string, kind: Runtime["kind"]): Promise<StepModel> {
    const at = (name: string) => new URL(name, base).href;
    const [runtime, encoder, decoder, facts] = await Promise.all([
      loadRuntime(at, kind),
      fetchBytes(at("encoder.onnx.gz")),
      fetchBytes(at("decoder.onnx.gz")),
      fetch(at("facts.json")).then((response) => response.json() as Promise<Facts>),
    ]);
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: [kind],
      logSeverityLevel: 3,
      // Threads that wait let others compute: the video decoder, and the picture.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    };
    const { InferenceSession } = runtime.ort;
    return new StepModel(
      base,
      facts,
      runtime,
      await InferenceSession.create(encoder, options),
      await InferenceSession.create(decoder, options),
    );
  }

  /** Encode the frames of a step, as `pixelsToStep` gives them. */
  async encode(frames: Float32Array, size: Size, past: Past): Promise<Encoded> {
    const {
      stride: [t, h, w],
      encoder_past,
      encoder_past_side,
    } = this.facts;
    const cells = cellsOf(this.facts, size);
    const feeds = {
      frames: new this.runtime.ort.Tensor("float32", frames, [1, 3 * t, cells.height * h, cells.width * w]),
      ...this.state(past, encoder_past, encoder_past_side, cells),
    };
    const result = await this.encoder.run(feeds);
    const names = this.facts.bases.length ? ["digits"] : partsOf(this.facts).map(({ name }) => name);
    const values = names.map((name) => result[name].data as Encoded["values"][number]);
    return { values, past: result.past_next ?? null };
  }

  /** Decode a step of a latent, given part by part. */
  async decode(given: GivenPart[], cells: Size, past: Past): Promise<Decoded> {
    const { Tensor } = this.runtime.ort;
    const [, h, w] = this.facts.stride;
    const layouts = layoutsOf(this.facts, { height: h * cells.height, width: w * cells.width });
    const tensors = layouts.flatMap(({ name, channels, steps, rows, columns }, i) => {
      const counts = this.facts.parts.length ? `${name}_counts` : "counts";
      return [
        [name, new Tensor("float32", given[i].values, [1, steps * channels, rows, columns])],
        [counts, new Tensor("int64", given[i].counts, [1, steps, rows, columns])],
      ] as const;
    });
    return this.decoded(Object.fromEntries(tensors), cells, past);
  }

  /** Decode a step of tokens. */
  async decodeDigits(digits: Int32Array, cells: Size, past: Past): Promise<Decoded> {
    const sides = [1, this.facts.channels, cells.height, cells.width];
    return this.decoded({ digits: new this.runtime.ort.Tensor("int32", digits, sides) }, cells, past);
  }

  private async decoded(values: Record<string, ort.Tensor>, cells: Size, past: Past): Promise<Decoded> {
    const { decoder_past, decoder_past_side } = this.facts;
    const state = this.state(past, decoder_past, decoder_past_side, cells);
    const result = await this.decoder.run({ ...values, ...state });
    return { frames: result.frames.data as Float32Array, past: result.past_next ?? null };
  }

  /** What a network is given of the step before: so many channels, `side` times the rows and columns of cells. */
  private state(past: Past, channels: number, side: number, cells: Size): Record<string, ort.Tensor> {
    if (!channels) return {};
    const { Tensor } = this.runtime.ort;
    const sides = [1, channels, side * cells.height, side * cells.width];
    const numbers = sides.reduce((all, one) => all * one, 1);
    return {
      first: new Tensor("bool", [past === null], [1]),
      past: past ?? new Tensor("float32", new Float32Array(numbers), sides),
    };
  }
}
