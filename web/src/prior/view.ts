// What a prior's network sees of the symbols of a step: whole numbers, position after position.

import { AVERAGES, LARGEST_LINEAR, clip, sizeSeen } from "./numbers";

export class StepView {
  /** As the linear prediction sees symbols: cut off. Positions, channels. */
  readonly linear: Int16Array;
  /** Companded. */
  readonly signed: Int16Array;
  /** Companded magnitudes of differences to the step before. */
  readonly change: Int16Array;
  /** Of each channel, the average of companded magnitudes over the step, companded again. */
  readonly average: Int16Array;

  /** Room for channels of which nothing is seen yet, which is what a step of zeros is. */
  constructor(
    readonly channels: number,
    readonly positions: number,
  ) {
    [this.linear, this.signed, this.change] = Array.from(
      { length: 3 },
      () => new Int16Array(channels * positions),
    );
    this.average = new Int16Array(channels);
  }

  /** See a channel of the step: how it is read, and the same of the step before. */
  see(channel: number, symbols: Int32Array, before: Int32Array | null): void {
    let sum = 0;
    for (let p = 0, at = channel; p < this.positions; p++, at += this.channels) {
      const symbol = symbols[p];
      this.linear[at] = clip(symbol, -LARGEST_LINEAR, LARGEST_LINEAR);
      const size = sizeSeen(symbol);
      sum += size;
      this.signed[at] = symbol < 0 ? -size : size;
      this.change[at] = sizeSeen(symbol - (before ? before[p] : 0));
    }
    this.average[channel] = AVERAGES[Math.floor((16 * sum) / this.positions)];
  }
}
