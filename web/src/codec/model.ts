// An exported tokenizer, run by onnxruntime: one step of frames at a time, with its state in sight.

import * as ort from "onnxruntime-web/wasm";
import { type Facts, type Size, cellsOf } from "./facts";
import { fetchBytes } from "../fetching";

/** What a network remembers from step to step; none before the first. */
export type Past = ort.Tensor | null;

export interface Encoded {
  /** Channels, rows, columns. */
  latent: Float32Array;
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
    readonly threads: number,
    private readonly encoder: ort.InferenceSession,
    private readonly decoder: ort.InferenceSession,
  ) {}

  /** Load the runtime and a tokenizer from beside the page. */
  static async load(base: string): Promise<StepModel> {
    const at = (name: string) => new URL(name, base).href;
    // Threads need memory that they share, which a browser gives only to a page that is isolated from others.
    const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 4) : 1;
    const [wasm, encoder, decoder, facts] = await Promise.all([
      fetchBytes(at("ort-wasm-simd-threaded.wasm.gz")),
      fetchBytes(at("encoder.onnx.gz")),
      fetchBytes(at("decoder.onnx.gz")),
      fetch(at("facts.json")).then((response) => response.json() as Promise<Facts>),
    ]);
    ort.env.wasm.wasmPaths = { mjs: at("ort-wasm-simd-threaded.mjs") };
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: ["wasm"],
      // Threads that wait let others compute: the video decoder, and the picture.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    };
    return new StepModel(
      facts,
      threads,
      await ort.InferenceSession.create(encoder, options),
      await ort.InferenceSession.create(decoder, options),
    );
  }

  /** Encode the frames of a step, as `pixelsToStep` gives them. */
  async encode(frames: Float32Array, size: Size, past: Past): Promise<Encoded> {
    const { stride: [t, h, w], encoder_past } = this.facts;
    const cells = cellsOf(this.facts, size);
    const feeds = {
      frames: new ort.Tensor("float32", frames, [1, 3 * t, cells.height * h, cells.width * w]),
      ...state(past, encoder_past, cells),
    };
    const result = await this.encoder.run(feeds);
    return { latent: result.latent.data as Float32Array, past: result.past_next ?? null };
  }

  /** Decode a step; of each position the first `counts` channels are looked at. */
  async decode(latent: Float32Array, counts: BigInt64Array, cells: Size, past: Past): Promise<Decoded> {
    const { channels, decoder_past } = this.facts;
    const sides = [cells.height, cells.width];
    const feeds = {
      latent: new ort.Tensor("float32", latent, [1, channels, ...sides]),
      counts: new ort.Tensor("int64", counts, [1, 1, ...sides]),
      ...state(past, decoder_past, cells),
    };
    const result = await this.decoder.run(feeds);
    return { frames: result.frames.data as Float32Array, past: result.past_next ?? null };
  }
}

function state(past: Past, channels: number, cells: Size): Record<string, ort.Tensor> {
  if (!channels) return {};
  const sides = [1, channels, cells.height, cells.width];
  return {
    first: new ort.Tensor("bool", [past === null], [1]),
    past: past ?? new ort.Tensor("float32", new Float32Array(channels * cells.height * cells.width), sides),
  };
}
