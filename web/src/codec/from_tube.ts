// What a .tube file holds, step by step, as the decoder takes it.

import { type Chunk, type Header, type PartHeader, type Tube, TubeError } from "../tube";
import { type Facts, groupingOf } from "./facts";
import type { LatentStep, PartStep } from "./latent_steps";
import { type Layout, latentSteps, layoutsOf, positionsOf } from "./layout";
import { dequantise } from "./quantiser";
import { rateOfChunk } from "./rate";
import type { TokenStep } from "./token_steps";

/** Fails with `TubeError` unless the file is one of the tokenizer that the page has. */
export function checkTokenizer({ tokenizer, tokenizerSha256, parts, ...size }: Header, facts: Facts): void {
  if (tokenizerSha256 !== facts.sha256) {
    throw new TubeError(
      `the file is one of ${tokenizer}, and this page computes with ${facts.name}: "tubelet serve --tokenizer ${tokenizer}" serves a page that opens it`,
    );
  }
  const layouts = layoutsOf(facts, size);
  const same =
    parts.length === layouts.length &&
    parts.every((part, i) => isPart(part, layouts[i], facts)) &&
    JSON.stringify(size.stride) === JSON.stringify(facts.stride);
  if (!same) throw new TubeError(`the file is damaged: it holds what ${tokenizer} does not make`);
}

/** Whether a part of a file is one of the tokenizer; an only one has a name of its own. */
function isPart(found: PartHeader, { name, channels, rows, columns, stride }: Layout, facts: Facts): boolean {
  return (
    (found.name === name || facts.parts.length === 0) &&
    found.channels <= channels &&
    found.rows === rows &&
    found.columns === columns &&
    JSON.stringify(found.stride) === JSON.stringify(stride) &&
    JSON.stringify(found.bases) === JSON.stringify(facts.bases)
  );
}

/** The parts of a file as they are shown: with as many channels as it has. */
export function layoutsOfTube({ parts, stride }: Header, facts: Facts | null): Layout[] {
  return parts.map((part, i) => ({
    ...(facts?.parts[i] ?? { exact: false, whole: false }),
    name: part.name,
    channels: part.channels,
    stride: part.stride,
    steps: stride[0] / part.stride[0],
    rows: part.rows,
    columns: part.columns,
  }));
}

/** The steps of a file of tokens on one grid. */
export function tokenStepsOf(tube: Tube): Required<TokenStep>[] {
  const [part] = tube.header.parts;
  return tube.chunks.flatMap((chunk) => {
    const rate = rateOfChunk(chunk, [part]);
    return Array.from({ length: chunk.steps }, (_, step) => ({
      digits: symbolsOfStep(chunk, 0, part, step),
      rate,
    }));
  });
}

/** The steps of a file of latents. */
export function stepsOfTube(tube: Tube, facts: Facts): LatentStep[] {
  const layouts = layoutsOf(facts, tube.header);
  const grouping = groupingOf(tube.header);
  let first = 0;
  return tube.chunks.flatMap((chunk) => {
    const rate = rateOfChunk(chunk, layouts);
    const parts = layouts.map((layout, i) => {
      const steps = latentStepsOf(chunk, i, tube.header.parts[i], layout);
      let at = 0;
      return Array.from({ length: chunk.steps }, (_, step) =>
        joined(steps.slice(at, (at += latentSteps(layout, grouping, first + step)))),
      );
    });
    first += chunk.steps;
    return Array.from({ length: chunk.steps }, (_, step) => ({ parts: parts.map((own) => own[step]), rate }));
  });
}

/** The latent steps of a part. A position that stores no channel repeats the one before, within its chunk. */
function latentStepsOf(chunk: Chunk, index: number, stored: PartHeader, layout: Layout): Required<PartStep>[] {
  const positions = positionsOf(layout);
  let before: Required<PartStep> | null = null;
  return Array.from({ length: chunk.parts[index].steps }, (_, step) => {
    const symbols = symbolsOfStep(chunk, index, stored, step);
    const values = new Float32Array(layout.channels * positions);
    values.set(dequantise(symbols, stored.steps, positions, stored.centroids));
    const given = chunk.parts[index].counts?.slice(step * positions, (step + 1) * positions);
    const counts = given ?? new Int32Array(positions).fill(stored.channels);
    if (before) repeat(before, values, counts, positions);
    before = { values, counts };
    return before;
  });
}

/** Consecutive latent steps as one. */
function joined(steps: Required<PartStep>[]): PartStep {
  const [{ values, counts }] = steps;
  const whole = {
    values: new Float32Array(steps.length * values.length),
    counts: new Int32Array(steps.length * counts.length),
  };
  steps.forEach((one, i) => {
    whole.values.set(one.values, i * values.length);
    whole.counts.set(one.counts, i * counts.length);
  });
  return whole;
}

/** The symbols of a latent step: channels, rows, columns. */
function symbolsOfStep(
  { parts }: Chunk,
  index: number,
  { channels, rows, columns }: PartHeader,
  step: number,
): Int32Array<ArrayBuffer> {
  const { symbols, steps } = parts[index];
  const positions = rows * columns;
  const found = new Int32Array(channels * positions);
  for (let channel = 0; channel < channels; channel++) {
    const begin = (channel * steps + step) * positions;
    found.set(symbols.subarray(begin, begin + positions), channel * positions);
  }
  return found;
}

function repeat(
  before: Required<PartStep>,
  values: Float32Array,
  counts: Int32Array,
  positions: number,
): void {
  for (let at = 0; at < positions; at++) {
    if (counts[at] > 0) continue;
    counts[at] = before.counts[at];
    for (let i = at; i < values.length; i += positions) values[i] = before.values[i];
  }
}
