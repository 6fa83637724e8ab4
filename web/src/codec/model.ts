// An exported tokenizer, run by onnxruntime: one step of frames at a time, with its state in sight.

import type * as ort from "onnxruntime-web/wasm";
import { type Facts, type Size, cellsOf } from "./facts";
import { fetchBytes } from "../fetching";
import { type Runtime, loadRuntime } from "./runtime";

/** What a network remembers from step to step; none before the first. */
export type Past = ort.Tensor | null;

export interface Encoded {
  /** A latent; digits, if the tokenizer is discrete. Channels, rows, columns. */
  values: Float32Array | Int32Array;
  past: Past;
}

export interface Decoded {
  /** Frames and colours, rows, columns, in [-1, 1]. */
  frames: Float32Array;
  past: Past;
}

export class StepModel {
  private constructor(
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
    } = this.facts;
    const cells = cellsOf(this.facts, size);
    const feeds = {
      frames: new this.runtime.ort.Tensor("float32", frames, [1, 3 * t, cells.height * h, cells.width * w]),
      ...this.state(past, encoder_past, cells),
    };
    const result = await this.encoder.run(feeds);
    const values = this.facts.bases.length ? result.digits : result.latent;
    return { values: values.data as Encoded["values"], past: result.past_next ?? null };
  }

  /** Decode a step of a latent; of each position the first `counts` channels are looked at. */
  async decode(latent: Float32Array, counts: BigInt64Array, cells: Size, past: Past): Promise<Decoded> {
    const { Tensor } = this.runtime.ort;
    const sides = [cells.height, cells.width];
    return this.decoded(
      {
        latent: new Tensor("float32", latent, [1, this.facts.channels, ...sides]),
        counts: new Tensor("int64", counts, [1, 1, ...sides]),
      },
      cells,
      past,
    );
  }

  /** Decode a step of tokens. */
  async decodeDigits(digits: Int32Array, cells: Size, past: Past): Promise<Decoded> {
    const sides = [1, this.facts.channels, cells.height, cells.width];
    return this.decoded({ digits: new this.runtime.ort.Tensor("int32", digits, sides) }, cells, past);
  }

  private async decoded(values: Record<string, ort.Tensor>, cells: Size, past: Past): Promise<Decoded> {
    const state = this.state(past, this.facts.decoder_past, cells);
    const result = await this.decoder.run({ ...values, ...state });
    return { frames: result.frames.data as Float32Array, past: result.past_next ?? null };
  }

  private state(past: Past, channels: number, cells: Size): Record<string, ort.Tensor> {
    if (!channels) return {};
    const { Tensor } = this.runtime.ort;
    const sides = [1, channels, cells.height, cells.width];
    return {
      first: new Tensor("bool", [past === null], [1]),
      past: past ?? new Tensor("float32", new Float32Array(channels * cells.height * cells.width), sides),
    };
  }
}
