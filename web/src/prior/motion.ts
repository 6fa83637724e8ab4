// A prior of vectors and flags: counts of what they were, by what is around them (tubelet.priors.motion).

import type { PartHeader } from "../tube/header";
import type { CodingTable, Exchange, Grid, Prior, SymbolModel } from "../tube/modelled";
import { sharesOf } from "../tube/range";
import type { Arrays } from "./arrays";
import { type Pass, passesOf } from "./motion_order";

/** `tubelet.priors.motion.prior.MotionPriorConfig`, as far as it is needed. */
export interface MotionConfig {
  name: string;
  channels: number;
  tables: number;
  reach: number;
}

/** From which on vectors around are further apart, a vector is longer, and its first number is further off. */
const SPREADS = [1, 3, 7, 17, 41],
  SPEEDS = [1, 8, 32],
  SURPRISES = [1, 3, 9];
/** How many values each number of a vector's context has. */
const SHAPE = [SURPRISES.length + 2, 3, 5, 5, SPREADS.length + 1, 2, 2, SPEEDS.length + 1];
const CONTEXTS = SHAPE.reduce((all, one) => all * one);

type Vector = [right: number, down: number];

export class MotionPrior implements Prior {
  readonly name: string;
  private readonly tables: CodingTable[];
  private readonly ofVectors: Uint8Array;
  private readonly ofFlags: Uint8Array;

  constructor(
    private readonly config: MotionConfig,
    readonly sha256: string,
    arrays: Arrays,
  ) {
    this.name = config.name;
    const entries = 2 * config.reach + 1;
    const frequencies = arrays.int32("frequencies");
    this.tables = Array.from({ length: config.tables }, (_, i) => {
      const own = Uint32Array.from(frequencies.subarray(i * entries, (i + 1) * entries));
      return { first: -config.reach, shares: sharesOf(own), open: true };
    });
    this.ofVectors = arrays.bytesOf("of_vectors");
    this.ofFlags = arrays.bytesOf("of_flags");
  }

  modelOf({ name, channels, counts, bases }: PartHeader): SymbolModel | null {
    if (counts.length || bases.length) return null;
    const read =
      name === "motion" && channels === this.config.channels
        ? (grid: Grid, exchange: Exchange) => readVectors(grid, channels / 2, this.ofVectors, exchange)
        : name === "plain" && channels === 1
          ? (grid: Grid, exchange: Exchange) => readFlags(grid, this.ofFlags, exchange)
          : null;
    return (
      read && {
        groups: [[0, channels]],
        table: (number) => this.tables[number],
        readMap: () => {
          throw new Error("vectors and flags have no map of counts");
        },
        readGroup: (_, grid, exchange) => read(grid, exchange),
      }
    );
  }
}

/** Of each frame in turn the numbers down, then those to the right; the last frame of a group is coded first. */
function readVectors(grid: Grid, frames: number, tableOf: Uint8Array, exchange: Exchange): void {
  const { symbols, steps, rows, columns } = grid;
  const places = steps * rows * columns;
  const right = (frame: number) => symbols.subarray(2 * frame * places, (2 * frame + 1) * places);
  const down = (frame: number) => symbols.subarray((2 * frame + 1) * places, (2 * frame + 2) * places);
  const merged = new Uint8Array(places);
  const last = frames - 1;
  for (const frame of [last, ...Array.from({ length: last }, (_, i) => i)]) {
    /** What a vector is at constant velocity from the frame before to the last one. */
    const linear = (of: (frame: number) => Int32Array) => {
      if (frame === last) return new Int32Array(places);
      const before = frame ? of(frame - 1) : new Int32Array(places),
        end = of(last),
        left = frames - frame;
      return before.map((from, i) => from + Math.floor((2 * (end[i] - from) + left) / (2 * left)));
    };
    const own: [Int32Array, Int32Array] = [linear(right), linear(down)];
    const field = readFrame(grid, frame === last ? null : frame, own, merged, tableOf, exchange);
    right(frame).set(field[0].map((off, i) => off + own[0][i]));
    down(frame).set(field[1].map((off, i) => off + own[1][i]));
  }
}

/** By how much the vectors of a frame differ from what they are expected to be; of the last one for no frame. */
function readFrame(
  { steps, rows, columns }: Grid,
  frame: number | null,
  own: [Int32Array, Int32Array],
  merged: Uint8Array,
  tableOf: Uint8Array,
  exchange: Exchange,
): [Int32Array, Int32Array] {
  const positions = rows * columns;
  const field: [Int32Array, Int32Array] = [new Int32Array(steps * positions), new Int32Array(steps * positions)];
  for (const pass of passesOf(rows, columns)) {
    const at = placesOf(pass, steps, positions);
    const around = at.map((place, i) => surroundings(field, pass, i % pass.places.length, place));
    const contexts = at.map((place, i) => {
      const { expected, support, spread } = around[i];
      const nearby: Vector = frame === null ? expected : [own[0][place], own[1][place]];
      const speed = classOf(SPEEDS, Math.abs(nearby[0]) + Math.abs(nearby[1]));
      const still = expected[0] === 0 && expected[1] === 0 ? 1 : 0;
      const time = frame === null ? 0 : Math.min(1 + frame, 2);
      return index([0, time, pass.kind, support, spread, merged[place], still, speed]);
    });
    /** Read one number of all of these vectors: by how much it is off. */
    const number = (which: 0 | 1, contexts: number[]) => {
      const offsets = Int32Array.from(at, (place, i) => around[i].expected[which] + own[which][place]);
      const found = exchange(offsets, Int32Array.from(contexts, (context) => tableOf[context]));
      return found.map((symbol, i) => symbol - offsets[i]);
    };
    const down = number(1, contexts);
    const right = number(
      0,
      contexts.map((context, i) => {
        const surprise = 1 + classOf(SURPRISES, Math.abs(down[i]));
        return context + surprise * (CONTEXTS / SHAPE[0]);
      }),
    );
    at.forEach((place, i) => {
      field[0][place] = around[i].expected[0] + right[i];
      field[1][place] = around[i].expected[1] + down[i];
      if (frame === null) merged[place] = right[i] === 0 && down[i] === 0 ? 1 : 0;
    });
  }
  return field;
}

/** What is known around a vector. */
interface Surroundings {
  /** The vector that most of those around are; of equally many the most central one. */
  expected: Vector;
  support: number;
  spread: number;
}

/** Around position `i` of a pass, which is at `place` of the field. */
function surroundings(
  field: [Int32Array, Int32Array],
  { near, places }: Pass,
  i: number,
  place: number,
): Surroundings {
  const step = place - places[i];
  const known = near[i].map((at): Vector => [field[0][step + at], field[1][step + at]]);
  if (!known.length) return { expected: [0, 0], support: 0, spread: 0 };
  const supports = known.map(([x, y]) => known.filter((other) => other[0] === x && other[1] === y).length);
  const middle = (which: 0 | 1) =>
    known.map((vector) => vector[which]).sort((a, b) => a - b)[(known.length - 1) >> 1];
  const median: Vector = [middle(0), middle(1)];
  const better = (a: number, b: number) =>
    supports[a] > supports[b] ||
    (supports[a] === supports[b] && distance(known[a], median) < distance(known[b], median));
  // Of equals the first is taken.
  const best = known.reduce((best, _, i) => (better(i, best) ? i : best), 0);
  const spread = Math.max(...known.map((vector) => distance(vector, known[best])));
  return { expected: known[best], support: supports[best], spread: classOf(SPREADS, spread) };
}

function readFlags({ symbols, steps, rows, columns }: Grid, tableOf: Uint8Array, exchange: Exchange): void {
  const positions = rows * columns;
  for (const pass of passesOf(rows, columns)) {
    const at = placesOf(pass, steps, positions);
    const tables = Int32Array.from(at, (place, i) => {
      const here = i % pass.places.length;
      const near = pass.near[here].map((own) => symbols[place - pass.places[here] + own]);
      const set = near.filter((flag) => flag !== 0).length;
      return tableOf[(pass.kind * 5 + near.length) * 5 + set];
    });
    exchange(new Int32Array(at.length), tables).forEach((flag, i) => (symbols[at[i]] = flag));
  }
}

/** Where the positions of a pass are in all steps. */
function placesOf({ places }: Pass, steps: number, positions: number): number[] {
  return Array.from({ length: steps }, (_, step) => places.map((place) => step * positions + place)).flat();
}

const distance = (a: Vector, b: Vector) => Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]);

/** How many of the bounds a number reaches. */
const classOf = (bounds: number[], value: number) => bounds.filter((bound) => value >= bound).length;

const index = (numbers: number[]) => numbers.reduce((sum, number, i) => sum * SHAPE[i] + number, 0);
