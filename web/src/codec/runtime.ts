// onnxruntime: on the graphics card where there is one, else on the processor.

import type * as Ort from "onnxruntime-web/wasm";
import { fetchBytes } from "../fetching";

export interface Runtime {
  ort: typeof Ort;
  kind: "webgpu" | "wasm";
  threads: number;
}

/** What computes here best. What calls itself a card and is the processor is slower than the processor. */
export async function bestKind(): Promise<Runtime["kind"]> {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter) ? "webgpu" : "wasm";
}

interface Adapter {
  info?: { isFallbackAdapter?: boolean };
  isFallbackAdapter?: boolean;
}

/** Load a runtime from beside the page; `at` gives the address of a file. */
export async function loadRuntime(at: (name: string) => string, kind: Runtime["kind"]): Promise<Runtime> {
  const name = kind === "webgpu" ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  const [ort, wasm] = await Promise.all([
    kind === "webgpu"
      ? (import("onnxruntime-web/webgpu") as Promise<typeof Ort>)
      : import("onnxruntime-web/wasm"),
    fetchBytes(at(`${name}.wasm.gz`)),
  ]);
  // Threads need memory that they share, which a browser gives only to a page that is isolated from others.
  const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 4) : 1;
  ort.env.wasm.wasmPaths = { mjs: at(`${name}.mjs`) };
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  return { ort, kind, threads };
}
