// A segment with a table (SPEC, section 6): the symbols of one channel of one chunk.

import { Bytes, TubeError } from "./bytes";
import { RangeDecoder, TOTAL, sharesOf } from "./range";

const LARGEST_SYMBOL = 2 ** 23 - 1;
const MOST_DIFFERENT = 2 ** 22;

/** The symbols of a segment; `base` is that of digits, or none. */
export function decodeSegment(data: Uint8Array, total: number, base: number | null): Int32Array {
  const bytes = new Bytes(data);
  if (total === 0) {
    bytes.done("a segment");
    return new Int32Array(0);
  }
  const different = bytes.uv(Math.min(total, MOST_DIFFERENT), 5);
  if (different === 0) {
    if (base === null) throw new TubeError("the file is damaged: a segment has no table");
    return decodeDigits(bytes, total, base);
  }
  const symbols = symbolsOf(bytes, different, base);
  const counts = countsOf(bytes, different, total);
  if (different === 1) {
    bytes.done("a segment");
    return new Int32Array(total).fill(symbols[0]);
  }
  const shares = sharesOf(frequenciesOf(counts, total));
  const decoder = new RangeDecoder(wordsOf(bytes));
  const found = new Int32Array(total);
  for (let at = 0; at < total; at++) found[at] = symbols[decoder.next(shares)];
  return found;
}

/** Frequencies of 2^24 in all, from how often each symbol occurs. */
export function frequenciesOf(counts: number[], total: number): Uint32Array {
  const rest = TOTAL - counts.length;
  const frequencies = Uint32Array.from(counts, (count) => 1 + quotient(count, rest, total));
  const most = counts.reduce((best, count, i) => (count > counts[best] ? i : best), 0);
  frequencies[most] += TOTAL - frequencies.reduce((sum, frequency) => sum + frequency, 0);
  return frequencies;
}

/** A product below 2^51, divided and rounded down: a double's answer, which may be one too much, put right. */
function quotient(count: number, rest: number, total: number): number {
  const found = Math.floor((count * rest) / total);
  return found * total > count * rest ? found - 1 : found;
}

/** Frequencies of 2^24 in all, of digits that are as frequent as each other. */
export function evenFrequencies(base: number): Uint32Array {
  const frequencies = new Uint32Array(base).fill(Math.floor(TOTAL / base));
  frequencies[base - 1] = TOTAL - (base - 1) * Math.floor(TOTAL / base);
  return frequencies;
}

function decodeDigits(bytes: Bytes, total: number, base: number): Int32Array {
  const shares = sharesOf(evenFrequencies(base));
  const decoder = new RangeDecoder(wordsOf(bytes));
  return Int32Array.from({ length: total }, () => decoder.next(shares));
}

function symbolsOf(bytes: Bytes, different: number, base: number | null): number[] {
  const [least, most] = base === null ? [-LARGEST_SYMBOL, LARGEST_SYMBOL] : [0, base - 1];
  const symbols = [Number(bytes.sv(5))];
  for (let i = 1; i < different; i++) symbols.push(symbols[i - 1] + bytes.uv(2 ** 35, 5) + 1);
  if (symbols[0] < least || symbols[different - 1] > most)
    throw new TubeError("the file is damaged: a symbol is out of range");
  return symbols;
}

function countsOf(bytes: Bytes, different: number, total: number): number[] {
  const counts: number[] = [];
  let left = total;
  for (let i = 1; i < different; i++) {
    counts.push(bytes.uv(total, 5) + 1);
    left -= counts[i - 1];
  }
  if (left < 1) throw new TubeError("the file is damaged: a table counts more symbols than there are");
  return [...counts, left];
}

/** The words of a segment, to its end. */
export function wordsOf(bytes: Bytes): Uint32Array {
  if (bytes.left % 4) throw new TubeError("the file is damaged: a segment does not end with a word");
  return Uint32Array.from({ length: bytes.left / 4 }, () => bytes.u32());
}
