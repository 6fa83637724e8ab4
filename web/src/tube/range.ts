// The range coder (SPEC, section 6), with numbers of 64 bits as two halves: bigints would be fifty times slower.

import { TubeError } from "./bytes";

export const TOTAL = 2 ** 24;
const WORD = 2 ** 32;

/** How many of 2^24 each symbol has, and where its share begins. */
export interface Shares {
  frequencies: Uint32Array;
  lefts: Uint32Array;
}

export function sharesOf(frequencies: Uint32Array): Shares {
  const lefts = new Uint32Array(frequencies.length);
  for (let i = 1; i < lefts.length; i++) lefts[i] = lefts[i - 1] + frequencies[i - 1];
  return { frequencies, lefts };
}

/** `range` / 2^24, which fits a double. */
const scaleOf = (high: number, low: number) => high * 256 + Math.floor(low / TOTAL);

/** The halves of a product of a scale (below 2^40) and a share (up to 2^24). */
function product(scale: number, share: number): [number, number] {
  const below = scale % TOTAL;
  const above = ((scale - below) / TOTAL) * share;
  const rest = below * share + (above % 256) * TOTAL;
  return [Math.floor(above / 256) + Math.floor(rest / WORD), rest % WORD];
}

export class RangeDecoder {
  private high = WORD - 1;
  private low = WORD - 1;
  /** *point* - *lower*. */
  private overHigh: number;
  private overLow: number;
  private at = 0;

  constructor(private readonly words: Uint32Array) {
    this.overHigh = this.word();
    this.overLow = this.word();
  }

  /** The index of the next symbol. */
  next({ frequencies, lefts }: Shares): number {
    const scale = scaleOf(this.high, this.low);
    const quantile = this.quantile(scale);
    if (quantile >= TOTAL) throw new TubeError("the file is damaged: a segment holds no symbols");
    let i = 0;
    for (let end = lefts.length; end - i > 1;) {
      const middle = (i + end) >> 1;
      if (lefts[middle] <= quantile) i = middle;
      else end = middle;
    }
    const [high, low] = product(scale, lefts[i]);
    this.overHigh -= high + (this.overLow < low ? 1 : 0);
    this.overLow = (this.overLow - low + WORD) % WORD;
    [this.high, this.low] = product(scale, frequencies[i]);
    if (this.high === 0) {
      this.high = this.low;
      this.low = 0;
      this.overHigh = this.overLow;
      this.overLow = this.word();
    }
    return i;
  }

  /** (*point* - *lower*) / *scale*, rounded down: a double's answer, which may be one off, put right. */
  private quantile(scale: number): number {
    const guess = Math.floor((this.overHigh * WORD + this.overLow) / scale);
    if (guess > TOTAL) return guess;
    const [high, low] = product(scale, guess);
    const rest = (this.overHigh - high) * WORD + (this.overLow - low);
    return rest < 0 ? guess - 1 : rest >= scale ? guess + 1 : guess;
  }

  private word(): number {
    return this.at < this.words.length ? this.words[this.at++] : 0;
  }
}

export class RangeEncoder {
  private readonly words: number[] = [];
  private high = WORD - 1;
  private low = WORD - 1;
  /** The last two words of *low*; those before them are in `words`. */
  private lowHigh = 0;
  private lowLow = 0;

  push(i: number, { frequencies, lefts }: Shares): void {
    const scale = scaleOf(this.high, this.low);
    const [high, low] = product(scale, lefts[i]);
    this.lowLow += low;
    this.lowHigh += high + Math.floor(this.lowLow / WORD);
    this.lowLow %= WORD;
    this.carry();
    [this.high, this.low] = product(scale, frequencies[i]);
    if (this.high !== 0) return;
    this.words.push(this.lowHigh);
    this.lowHigh = this.lowLow;
    this.lowLow = 0;
    this.high = this.low;
    this.low = 0;
  }

  /** All words, once every symbol is pushed. */
  finish(): number[] {
    const end = this.lowHigh + this.high + Math.floor((this.lowLow + this.low) / WORD);
    if (this.lowLow > 0) this.lowHigh++;
    const zero = end === this.lowHigh;
    this.carry();
    return [...this.words, this.lowHigh, ...(zero ? [0] : [])];
  }

  private carry(): void {
    if (this.lowHigh < WORD) return;
    this.lowHigh -= WORD;
    let at = this.words.length - 1;
    while (this.words[at] === WORD - 1) this.words[at--] = 0;
    this.words[at]++;
  }
}
