// Coding tables, and which one a symbol is coded with once it is known what to expect (tubelet.priors.tables).

import type { CodingTable } from "../tube/modelled";
import { TOTAL, sharesOf } from "../tube/range";
import { MEAN_UNIT, SCALES, clip } from "./numbers";

/** Classes of scale below this have a table for each fraction of a mean; others one. */
const FINE_SCALES = 24;
/** Tables of symbols of a latent, which are any whole numbers. */
export const OPEN_TABLES = FINE_SCALES * MEAN_UNIT + SCALES - FINE_SCALES;
/** Classes of scale of a digit. */
const CLOSED_SCALES = 14;
/** Halves of a digit's unit, from its mean, to which the distribution of a digit is stored. */
const REACH = 66;

/** The table of a symbol of a latent, of which this mean and class of scale are expected; and what is added. */
export function openTable(mean: number, scale: number): { offset: number; table: number } {
  const offset = (mean + MEAN_UNIT / 2) >> 3;
  if (scale >= FINE_SCALES) return { offset, table: scale + FINE_SCALES * (MEAN_UNIT - 1) };
  return { offset, table: scale * MEAN_UNIT + mean - MEAN_UNIT * offset + MEAN_UNIT / 2 };
}

/** The table of a digit of a base among those of the base. */
export function closedTable(mean: number, scale: number, base: number): number {
  const most = 2 * (base + 1);
  const class_ = clip(((scale + 1) >> 1) - 2, 0, CLOSED_SCALES - 1);
  return (clip((mean + 2) >> 2, -most, most) + most) * CLOSED_SCALES + class_;
}

/** The tables of a latent that are stored: first residuals, entries, frequencies of all one after the other. */
export function openTables(firsts: Int32Array, sizes: Int32Array, frequencies: Int32Array): CodingTable[] {
  let begin = 0;
  return Array.from(firsts, (first, i) => {
    const own = Uint32Array.from(frequencies.subarray(begin, (begin += sizes[i])));
    return { first, shares: sharesOf(own), open: true };
  });
}

/** Tables of the digits of some bases, each made when it is first used. */
export class ClosedTables {
  private readonly made = new Map<number, CodingTable>();
  private readonly firsts = new Map<number, number>();

  /** `distribution`: for each class of scale, how much lies below each half of a unit from the mean. */
  constructor(
    private readonly distribution: Int32Array,
    bases: number[],
    begin: number,
  ) {
    for (const base of bases) {
      this.firsts.set(base, begin);
      begin += (4 * (base + 1) + 1) * CLOSED_SCALES;
    }
  }

  first(base: number): number {
    return this.firsts.get(base)!;
  }

  table(number: number): CodingTable {
    let found = this.made.get(number);
    if (!found) this.made.set(number, (found = this.make(number)));
    return found;
  }

  private make(number: number): CodingTable {
    const [base, first] = [...this.firsts].filter(([, first]) => first <= number).at(-1)!;
    const scale = (number - first) % CLOSED_SCALES,
      mean = Math.floor((number - first) / CLOSED_SCALES) - 2 * (base + 1);
    const row = this.distribution.subarray(scale * (2 * REACH + 1), (scale + 1) * (2 * REACH + 1));
    const below = (edge: number) => row[REACH + 2 * (2 * edge - base) - mean];
    const shares = Array.from(
      { length: base },
      (_, digit) => (digit === base - 1 ? TOTAL : below(digit + 1)) - (digit ? below(digit) : 0),
    );
    return { first: 0, shares: sharesOf(scaled(shares)), open: false };
  }
}

/** Shares that add up to 2^24 as frequencies that do so too, each at least 1. */
function scaled(shares: number[]): Uint32Array {
  const found = Uint32Array.from(shares, (share) => 1 + Math.floor((share * (TOTAL - shares.length)) / TOTAL));
  const most = found.indexOf(found.reduce((largest, one) => Math.max(largest, one)));
  found[most] += TOTAL - found.reduce((sum, one) => sum + one, 0);
  return found;
}
