// A segment with a prior (SPEC, section 7): the symbols of a group of channels, or the map of counts.

import { Bytes, TubeError } from "./bytes";
import type { PartHeader } from "./header";
import { RangeDecoder, type Shares } from "./range";
import { wordsOf } from "./segment";

/** How likely consecutive residuals are. */
export interface CodingTable {
  /** Residual of the first entry. */
  first: number;
  shares: Shares;
  /** Whether the first and the last entry stand for all residuals beyond them too. */
  open: boolean;
}

/**
 * Gives the symbols of a request: of each one, what is added to its residual, and the number of its table. None of
 * them depends on another.
 */
export type Exchange = (offsets: Int32Array, tables: Int32Array) => Int32Array;

/** What is known of the symbols of a part in a chunk: channels, latent steps, rows, columns. */
export interface Grid {
  symbols: Int32Array;
  /** Channels of each position; all for none. */
  counts: Int32Array | null;
  steps: number;
  rows: number;
  columns: number;
}

/** A prior, as the model of the symbols of a part. */
export interface SymbolModel {
  /** The first channel of each group, and the one past its last. */
  groups: [number, number][];
  table(number: number): CodingTable;
  /** Which of so many counts each position has: latent steps, rows, columns. */
  readMap(grid: Omit<Grid, "symbols" | "counts">, classes: number, exchange: Exchange): Int32Array;
  /** Write the symbols of a group into the grid, where those of all groups before are. */
  readGroup(group: number, grid: Grid, exchange: Exchange): void;
}

/** A prior that a file names; none of a part that it does not know. */
export interface Prior {
  name: string;
  sha256: string;
  modelOf(part: PartHeader): SymbolModel | null;
}

/** Answers requests with what a segment of so many symbols holds, each from `least` to `most`. */
export class ModelledSegment {
  private readonly bytes: Bytes;
  private readonly escapes: number[] = [];
  private readonly decoder: RangeDecoder;
  private used = 0;
  private coded = 0;

  constructor(
    data: Uint8Array,
    private readonly model: SymbolModel,
    private readonly total: number,
    private readonly least: number,
    private readonly most: number,
  ) {
    this.bytes = new Bytes(data);
    const count = this.bytes.uv(Math.min(total, this.bytes.left));
    for (let i = 0; i < count; i++) this.escapes.push(this.bytes.uv(2 ** 32));
    this.decoder = new RangeDecoder(wordsOf(this.bytes));
  }

  /** What `read` makes of the segment; fails unless it asks for all that the segment holds. */
  all<T>(read: (exchange: Exchange) => T): T {
    const made = read((offsets, tables) => this.exchanged(offsets, tables));
    if (this.coded !== this.total) throw new Error("a prior asks for other symbols than a segment holds");
    if (this.used < this.escapes.length)
      throw new TubeError("the file is damaged: a segment holds more than its symbols");
    return made;
  }

  private exchanged(offsets: Int32Array, tables: Int32Array): Int32Array {
    const found = new Int32Array(offsets.length);
    for (const at of byTable(tables)) {
      const symbol = offsets[at] + this.residual(this.model.table(tables[at]));
      if (symbol < this.least || symbol > this.most)
        throw new TubeError("the file is damaged: a symbol is out of range");
      found[at] = symbol;
    }
    this.coded += found.length;
    return found;
  }

  private residual({ first, shares, open }: CodingTable): number {
    const entries = shares.frequencies.length;
    const entry = entries === 1 ? 0 : this.decoder.next(shares);
    const residual = first + entry;
    if (!open || (entry > 0 && entry < entries - 1)) return residual;
    if (this.used === this.escapes.length)
      throw new TubeError("the file is damaged: a segment holds too few of its symbols");
    const beyond = this.escapes[this.used++];
    return entry ? residual + beyond : residual - beyond;
  }
}

/** The places of a request in the order in which they are coded: by table, those of one as they are. */
function byTable(tables: Int32Array): Int32Array {
  const next = new Int32Array(tables.reduce((most, table) => Math.max(most, table), -1) + 2);
  for (const table of tables) next[table + 1]++;
  for (let i = 1; i < next.length; i++) next[i] += next[i - 1];
  const order = new Int32Array(tables.length);
  tables.forEach((table, at) => (order[next[table]++] = at));
  return order;
}
