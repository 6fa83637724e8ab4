// The network of one group of channels, in whole numbers: its first layer (tubelet.priors.predictor).

import type { Arrays } from "./arrays";
import { COUNT_CLASSES, INPUT_UNIT } from "./numbers";
import { knownTaps } from "./passes";
import { SparseRow, addRow } from "./sparse";
import type { StepView } from "./view";

/** What is known of a step before a group is coded. */
export interface Known {
  rows: number;
  columns: number;
  /** Of the step, the channels below the group; of the step before, these and the group's own. */
  here: StepView;
  before: StepView;
  /** How many classes of counts each position reaches, and did in the step before. */
  levels: Uint8Array;
  levelsBefore: Uint8Array;
  stepClass: number;
}

const CLASSES = COUNT_CLASSES.length;

export class Network {
  /** Channels of the group, those below it, and features of a hidden layer. */
  readonly own: number;
  readonly lower: number;
  readonly hidden: number;
  /** Of each pass, the neighbours that are known, and the weights of what is seen of them. */
  readonly taps: number[][];
  readonly near: Int16Array[];
  readonly second: Int16Array;
  readonly last: Int16Array;
  readonly linearBefore: Int16Array;
  readonly linearNear: Int16Array;
  readonly linearLower: Int16Array;
  readonly turn: Int32Array;
  readonly secondBias: Int32Array;
  readonly lastBias: Int32Array;
  readonly shifts: { first: Uint8Array; second: Uint8Array; last: Uint8Array; linear: Uint8Array };
  private readonly step: Int32Array;
  private readonly averages: Int16Array;
  private readonly wide: Int16Array;
  private readonly narrow: Int16Array;
  /** What each number of classes that are reached adds: of each neighbour, and of the step before. */
  private readonly wideLevels: Int32Array;
  private readonly narrowLevels: Int32Array;

  /** Of the arrays whose names begin with one. */
  constructor(arrays: Arrays, name: string, passes: number) {
    const int16 = (own: string) => arrays.int16(`${name}.${own}`);
    const int32 = (own: string) => arrays.int32(`${name}.${own}`);
    const uint8 = (own: string) => arrays.bytesOf(`${name}.${own}`);
    const [, wide, hidden] = arrays.shape(`${name}.wide`);
    [, , this.own] = arrays.shape(`${name}.linear_near`);
    this.lower = (wide - CLASSES - this.own) / 3;
    this.hidden = hidden;
    this.taps = Array.from({ length: passes }, (_, turn) => knownTaps(passes, turn));
    this.near = this.taps.map((_, turn) => (turn ? int16(`near_${turn}`) : new Int16Array()));
    this.second = int16("second");
    this.last = int16("last");
    this.linearBefore = int16("linear_before");
    this.linearNear = int16("linear_near");
    this.linearLower = int16("linear_lower");
    this.step = int32("step");
    this.turn = int32("turn");
    this.secondBias = int32("second_bias");
    this.lastBias = int32("last_bias");
    this.shifts = {
      first: uint8("first_shift"),
      second: uint8("second_shift"),
      last: uint8("last_shift"),
      linear: uint8("linear_shift"),
    };
    this.averages = int16("averages");
    this.wide = int16("wide");
    this.narrow = int16("narrow");
    this.wideLevels = levelRows(this.wide, 9, hidden);
    this.narrowLevels = levelRows(this.narrow, 1, hidden);
  }

  /** What the first layer sums up of all that is known before the group, at positions that are needed. */
  firstSums(known: Known, needed: Uint8Array): Int32Array {
    const { rows, columns } = known;
    const { hidden, lower, own } = this;
    const inputs = 3 * lower + own + CLASSES;
    const sums = new Int32Array(rows * columns * hidden);
    const everywhere = this.ofStep(known);
    const wide = new SparseRow(inputs),
      narrow = new SparseRow(3 * lower + 2 * own);
    for (let row = 0, p = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, p++) {
        this.see(known, p, wide, narrow);
        if (needed[p]) {
          addRow(sums, p * hidden, everywhere, 0, hidden);
          narrow.addTo(sums, p * hidden, this.narrow, 0, hidden);
          addRow(sums, p * hidden, this.narrowLevels, known.levelsBefore[p] * hidden, hidden);
        }
        // What lies here is neighbour `tap` of the position on the other side.
        for (let tap = 0; tap < 9; tap++) {
          const toRow = row + 1 - Math.floor(tap / 3),
            toColumn = column + 1 - (tap % 3),
            to = toRow * columns + toColumn;
          if (toRow < 0 || toRow >= rows || toColumn < 0 || toColumn >= columns || !needed[to]) continue;
          wide.addTo(sums, to * hidden, this.wide, tap * inputs, hidden);
          const level = tap * (CLASSES + 1) + known.levels[p];
          addRow(sums, to * hidden, this.wideLevels, level * hidden, hidden);
        }
      }
    }
    return sums;
  }

  /** What is seen at a position, as inputs of the weights of neighbours, and of those of the position itself. */
  private see({ here, before }: Known, p: number, wide: SparseRow, narrow: SparseRow): void {
    const { lower, own } = this;
    const all = lower + own;
    wide.clear();
    narrow.clear();
    for (let c = 0, at = p * here.channels; c < lower; c++, at++) {
      wide.add(c, Math.abs(here.signed[at]));
      wide.add(lower + c, here.change[at]);
      narrow.add(c, here.signed[at]);
    }
    for (let c = 0, at = p * before.channels; c < all; c++, at++) {
      wide.add(2 * lower + c, Math.abs(before.signed[at]));
      narrow.add(lower + c, before.signed[at]);
      narrow.add(lower + all + c, before.change[at]);
    }
  }

  /** What is the same at all positions: the class of the step, and averages over it. */
  private ofStep({ here, before, stepClass }: Known): Int32Array {
    const { hidden, lower, own } = this;
    const sums = halves(this.shifts.first);
    addRow(sums, 0, this.step, stepClass * hidden, hidden);
    const averages = new SparseRow(2 * lower + own);
    for (let c = 0; c < lower; c++) averages.add(c, here.average[c]);
    for (let c = 0; c < lower + own; c++) averages.add(lower + c, before.average[c]);
    averages.addTo(sums, 0, this.averages, 0, hidden);
    return sums;
  }
}

/** What is added to sums so that rounding down, after a shift, rounds to the nearest. */
export function halves(shifts: Uint8Array): Int32Array {
  return Int32Array.from(shifts, (shift) => (1 << shift) >> 1);
}

/** The sum of the first k rows of classes of counts, which are the last ones of each block of a matrix. */
function levelRows(matrix: Int16Array, blocks: number, hidden: number): Int32Array {
  const inputs = matrix.length / blocks / hidden;
  const found = new Int32Array(blocks * (CLASSES + 1) * hidden);
  for (let block = 0; block < blocks; block++) {
    for (let level = 1; level <= CLASSES; level++) {
      const to = (block * (CLASSES + 1) + level) * hidden,
        row = (block * inputs + inputs - CLASSES + level - 1) * hidden;
      for (let h = 0; h < hidden; h++) found[to + h] = found[to - hidden + h] + INPUT_UNIT * matrix[row + h];
    }
  }
  return found;
}
