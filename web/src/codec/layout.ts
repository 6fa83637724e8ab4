// Where the numbers of each part of a latent lie: latent steps, channels, rows, columns.

import { type Facts, type Grouping, type Part, type Size, cellsOf, partsOf } from "./facts";

/** A part on the positions of a frame. */
export interface Layout extends Part {
  /** Latent steps of it in a step. */
  steps: number;
  rows: number;
  columns: number;
}

/** The parts of a tokenizer on frames of a size. */
export function layoutsOf(facts: Facts, size: Size): Layout[] {
  const cells = cellsOf(facts, size);
  return partsOf(facts).map((part) => {
    const [steps, down, right] = facts.stride.map((side, i) => side / part.stride[i]);
    return { ...part, steps, rows: down * cells.height, columns: right * cells.width };
  });
}

/** Positions of a latent step. */
export function positionsOf({ rows, columns }: Pick<Layout, "rows" | "columns">): number {
  return rows * columns;
}

/** Latent steps of a part in a step of a clip: a lead step, a frame that stands still, has one. */
export function latentSteps(part: Pick<Layout, "steps">, { lead_frame }: Grouping, step: number): number {
  return lead_frame && step === 0 ? 1 : part.steps;
}

/** Of what a network gave for a step, its first so many latent steps. */
export function trimmed<T extends Float32Array | Int32Array>(values: T, part: Layout, steps: number): T {
  return values.slice(0, (values.length / part.steps) * steps) as T;
}

/** Undo `trimmed`: what stands still is repeated. */
export function filled<T extends Float32Array | BigInt64Array>(values: T, part: Layout, steps: number): T {
  if (steps === part.steps) return values;
  const whole = new (values.constructor as new (length: number) => T)((values.length / steps) * part.steps);
  for (let step = 0; step < part.steps; step++) whole.set(values as never, step * values.length);
  return whole;
}
