// The page as a static folder, which the package carries: `npm ci && npm run build`.

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const STATIC = join(import.meta.dirname, "../src/tubelet/serve/static");

/** What the page is built from; tests/unit/serve/test_static.py hashes the same files. */
const SOURCES = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];

/** For the processor, and for graphics cards. */
const RUNTIMES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"];

/** The files of onnxruntime that the page loads, the large one compressed: every browser can undo that. */
function runtime(): Plugin {
  return {
    name: "runtime",
    generateBundle() {
      const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/wasm"));
      for (const name of RUNTIMES) {
        const wasm = readFileSync(join(folder, `${name}.wasm`));
        this.emitFile({
          type: "asset",
          fileName: `${name}.mjs`,
          source: readFileSync(join(folder, `${name}.mjs`)),
        });
        this.emitFile({ type: "asset", fileName: `${name}.wasm.gz`, source: gzipSync(wasm, { level: 9 }) });
      }
      this.emitFile({ type: "asset", fileName: "licences.txt", source: licences() });
    },
  };
}

/** The licences of what is bundled. */
function licences(): string {
  const mediabunny = readFileSync(join(import.meta.dirname, "node_modules/mediabunny/LICENSE"), "utf8");
  return [
    "This page contains ONNX Runtime Web 1.30.0 (npm: onnxruntime-web).",
    "Copyright (c) Microsoft Corporation. MIT License:",
    MIT,
    "This page contains Mediabunny 1.61.0 (npm: mediabunny, where its source is). Mozilla Public License 2.0:",
    mediabunny,
  ].join("\n\n");
}

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including without
limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of
the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS
OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Writes down what was built, from what: so that a test sees a build that is old, or was edited. */
function provenance(): Plugin {
  return {
    name: "provenance",
    closeBundle() {
      const sources = [
        ...SOURCES,
        ...files(join(import.meta.dirname, "src")).map((name) => join("src", name)),
      ];
      const built = files(STATIC).filter((name) => name !== "built.json");
      const content = { sources: hashes(import.meta.dirname, sources), built: hashes(STATIC, built) };
      writeFileSync(join(STATIC, "built.json"), `${JSON.stringify(content, null, 1)}\n`);
    },
  };
}

function files(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => statSync(join(folder, name)).isFile());
}

function hashes(folder: string, names: string[]): Record<string, string> {
  const of = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  return Object.fromEntries([...names].sort().map((name) => [name.replaceAll("\\", "/"), of(name)]));
}

export default defineConfig({
  base: "./",
  publicDir: false,
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
  worker: {
    format: "es",
    rollupOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name].js" } },
  },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: { page: "index.html", tube: "src/tube/index.ts", prior: "src/prior/index.ts" },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
  plugins: [runtime(), provenance()],
});
