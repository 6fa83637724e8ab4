// What a .tube file holds, step by step, as the decoder takes it.

import { type Chunk, type Header, type Tube, TubeError } from "../tube";
import { type Facts, cellsOf } from "./facts";
import type { LatentStep } from "./latent_clip";
import { dequantise } from "./quantiser";
import { type ChunkRate, rateOfChunk } from "./rate";

/** A step of tokens, as the encoder or a file gave it. */
export interface TokenStep {
  /** Digits, rows, columns. */
  digits: Int32Array;
  /** What its chunk takes in the file that it is from. */
  rate?: ChunkRate;
}

/** Fails with `TubeError` unless the file is one of the tokenizer that the page has. */
export function checkTokenizer({ tokenizer, tokenizerSha256, parts, ...size }: Header, facts: Facts): void {
  if (tokenizerSha256 !== facts.sha256) {
    throw new TubeError(
      `the file is one of ${tokenizer}, and this page computes with ${facts.name}: "tubelet serve --tokenizer ${tokenizer}" serves a page that opens it`,
    );
  }
  const cells = cellsOf(facts, size);
  const [{ channels, rows, columns, bases }] = parts;
  const other =
    parts.length !== 1 ||
    channels > facts.channels ||
    rows !== cells.height ||
    columns !== cells.width ||
    JSON.stringify(bases) !== JSON.stringify(facts.bases) ||
    JSON.stringify(size.stride) !== JSON.stringify(facts.stride);
  if (other) throw new TubeError(`the file is damaged: it holds what ${tokenizer} does not make`);
}

/** The steps of a file of tokens on one grid. */
export function tokenStepsOf(tube: Tube): Required<TokenStep>[] {
  const [{ channels, rows, columns }] = tube.header.parts;
  const positions = rows * columns;
  return tube.chunks.flatMap((chunk) => {
    const rate = rateOfChunk(chunk, channels, positions);
    return Array.from({ length: chunk.steps }, (_, step) => ({
      digits: symbolsOfStep(chunk, channels, step, positions),
      rate,
    }));
  });
}

/** The steps of a file. A position that stores no channel repeats the step before, within its chunk. */
export function stepsOfTube(tube: Tube, facts: Facts): LatentStep[] {
  const [part] = tube.header.parts;
  const { height, width } = cellsOf(facts, tube.header);
  const positions = height * width;
  return tube.chunks.flatMap((chunk) => {
    const rate = rateOfChunk(chunk, facts.channels, positions);
    let before: LatentStep | null = null;
    return Array.from({ length: chunk.steps }, (_, step) => {
      const symbols = symbolsOfStep(chunk, part.channels, step, positions);
      const latent = new Float32Array(facts.channels * positions);
      latent.set(dequantise(symbols, part.steps, positions, part.centroids));
      const given = chunk.parts[0].counts?.slice(step * positions, (step + 1) * positions);
      const counts = given ?? new Int32Array(positions).fill(part.channels);
      if (before) repeat(before, latent, counts, positions);
      before = { latent, counts, rate };
      return before;
    });
  });
}

function symbolsOfStep(
  { parts: [part] }: Chunk,
  channels: number,
  step: number,
  positions: number,
): Int32Array {
  const symbols = new Int32Array(channels * positions);
  for (let channel = 0; channel < channels; channel++) {
    const begin = (channel * part.steps + step) * positions;
    symbols.set(part.symbols.subarray(begin, begin + positions), channel * positions);
  }
  return symbols;
}

function repeat(before: LatentStep, latent: Float32Array, counts: Int32Array, positions: number): void {
  for (let at = 0; at < positions; at++) {
    if (counts[at] > 0) continue;
    counts[at] = before.counts![at];
    for (let i = at; i < latent.length; i += positions) latent[i] = before.latent[i];
  }
}
