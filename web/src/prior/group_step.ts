// One step of a group of channels as its network codes it, pass after pass (tubelet.priors.group_step).

import { type Known, type Network, halves } from "./network";
import {
  GATE_UNIT,
  LARGEST_HIDDEN,
  LARGEST_LINEAR,
  LARGEST_MEAN,
  LEAST_SCALE,
  LINEAR_UNIT,
  SCALES,
  clip,
  sizeSeen,
} from "./numbers";
import { SparseRow, addRow } from "./sparse";

/** Lowest channels that the linear prediction sees around a position, at most. */
const LINEAR_LOWER = 8;
/** Numbers that a network gives for each symbol: what is added to its mean, two gates, a scale. */
const OUTPUTS = 4;

export class GroupStep {
  /** What is expected of the symbols of a position: means in parts of a symbol, classes of scale. */
  readonly means: Int32Array;
  readonly scales: Int32Array;
  private readonly sums: Int32Array;
  /** The group's own symbols that are coded: as they are seen, and as the linear prediction sees them. */
  private readonly around: Int16Array;
  private readonly linear: Int16Array;
  private readonly first: Int32Array;
  private readonly second: Int32Array;
  private readonly last: Int32Array;
  private readonly predicted: Int32Array;
  private readonly inputs: SparseRow;
  private readonly halves: { second: Int32Array; last: Int32Array; linear: Int32Array };

  constructor(
    private readonly network: Network,
    private readonly known: Known,
    needed: Uint8Array,
  ) {
    const { own, hidden, shifts } = network;
    const positions = known.rows * known.columns;
    this.sums = network.firstSums(known, needed);
    this.around = new Int16Array(positions * 3 * own);
    this.linear = new Int16Array(positions * own);
    this.first = new Int32Array(hidden);
    this.second = new Int32Array(hidden);
    this.last = new Int32Array(OUTPUTS * own);
    this.predicted = new Int32Array(own);
    this.means = new Int32Array(own);
    this.scales = new Int32Array(own);
    this.inputs = new SparseRow(Math.max(9 * 3 * own, 2 * hidden));
    this.halves = {
      second: halves(shifts.second),
      last: halves(shifts.last),
      linear: halves(shifts.linear),
    };
  }

  /** Compute `means` and `scales` of a position of a pass. */
  expect(turn: number, p: number): void {
    const { own, lower } = this.network;
    const { before } = this.known;
    this.outputs(turn, p);
    this.predict(turn, p);
    for (let c = 0; c < own; c++) {
      const gate = (output: number) => clip(this.last[output * own + c], 0, GATE_UNIT);
      const repeated = before.linear[p * before.channels + lower + c] * LINEAR_UNIT;
      const sum = this.predicted[c] * gate(2) + repeated * gate(1) + 64;
      this.means[c] = (sum >> 7) + clip(this.last[c], -LARGEST_MEAN, LARGEST_MEAN);
      this.scales[c] = clip(this.last[3 * own + c] - LEAST_SCALE, 0, SCALES - 1);
    }
  }

  /** Say what a symbol of the group is, once it is coded, and what it was in the step before. */
  put(p: number, channel: number, symbol: number, before: number): void {
    const { own } = this.network;
    const size = sizeSeen(symbol),
      at = p * 3 * own + channel;
    this.linear[p * own + channel] = clip(symbol, -LARGEST_LINEAR, LARGEST_LINEAR);
    this.around[at] = symbol < 0 ? -size : size;
    this.around[at + own] = size;
    this.around[at + 2 * own] = sizeSeen(symbol - before);
  }

  /** The network's outputs at a position. */
  private outputs(turn: number, p: number): void {
    const { network, first, second, last, inputs } = this;
    const { hidden, own, shifts } = network;
    first.set(this.sums.subarray(p * hidden, (p + 1) * hidden));
    addRow(first, 0, network.turn, turn * hidden, hidden);
    inputs.clear();
    network.taps[turn].forEach((tap, i) => {
      const near = this.neighbour(p, tap);
      if (near < 0) return;
      for (let c = 0; c < 3 * own; c++) inputs.add(3 * own * i + c, this.around[3 * own * near + c]);
    });
    inputs.addTo(first, 0, network.near[turn], 0, hidden);
    bounded(first, shifts.first);
    second.set(this.halves.second);
    addRow(second, 0, network.secondBias, 0, hidden);
    inputs.clear();
    for (let h = 0; h < hidden; h++) inputs.add(h, first[h]);
    inputs.addTo(second, 0, network.second, 0, hidden);
    bounded(second, shifts.second);
    last.set(this.halves.last);
    addRow(last, 0, network.lastBias, this.known.stepClass * OUTPUTS * own, OUTPUTS * own);
    for (let h = 0; h < hidden; h++) inputs.add(hidden + h, second[h]);
    inputs.addTo(last, 0, network.last, 0, OUTPUTS * own);
    for (let i = 0; i < last.length; i++) last[i] >>= shifts.last[i];
  }

  /** The linear prediction at a position, in parts of a symbol. */
  private predict(turn: number, p: number): void {
    const { network, predicted, inputs } = this;
    const { own, lower, linearBefore, linearNear } = network;
    const { here, before } = this.known;
    const few = Math.min(lower, LINEAR_LOWER);
    predicted.set(this.halves.linear);
    inputs.clear();
    for (let tap = 0; tap < 9; tap++) {
      const near = this.neighbour(p, tap);
      if (near < 0) continue;
      for (let c = 0; c < few; c++) inputs.add(tap * few + c, here.linear[near * here.channels + c]);
      const weights = (turn * 9 + tap) * own,
        at = near * before.channels + lower;
      for (let c = 0; c < own; c++) predicted[c] += linearBefore[weights + c] * before.linear[at + c];
    }
    inputs.addTo(predicted, 0, network.linearLower, 0, own);
    for (const tap of network.taps[turn]) {
      const near = this.neighbour(p, tap);
      if (near < 0) continue;
      const weights = (turn * 9 + tap) * own;
      for (let c = 0; c < own; c++) predicted[c] += linearNear[weights + c] * this.linear[near * own + c];
    }
    const most = LARGEST_LINEAR * LINEAR_UNIT;
    for (let c = 0; c < own; c++)
      predicted[c] = clip(predicted[c] >> network.shifts.linear[c], -most, most);
  }

  /** The position of a neighbour; less than zero for none. */
  private neighbour(p: number, tap: number): number {
    const { rows, columns } = this.known;
    const row = Math.floor(p / columns) + Math.floor(tap / 3) - 1,
      column = (p % columns) + (tap % 3) - 1;
    return row < 0 || row >= rows || column < 0 || column >= columns ? -1 : row * columns + column;
  }
}

/** Sums as features: shifted, and from 0 to the largest. */
function bounded(sums: Int32Array, shifts: Uint8Array): void {
  for (let h = 0; h < sums.length; h++) sums[h] = clip(sums[h] >> shifts[h], 0, LARGEST_HIDDEN);
}
