// A learned prior as a model of symbols (tubelet.priors.context).

import type { PartHeader } from "../tube/header";
import type { CodingTable, Exchange, Grid, Prior, SymbolModel } from "../tube/modelled";
import { Arrays } from "./arrays";
import { GroupStep } from "./group_step";
import { Network } from "./network";
import { COUNT_CLASSES, stepClass } from "./numbers";
import { passOf } from "./passes";
import { ClosedTables, OPEN_TABLES, closedTable, openTable, openTables } from "./tables";
import { StepView } from "./view";

/** Permitted counts of a map, at most. */
const LARGEST_CLASSES = 9;
const MAP_PASSES = 4;

/** `tubelet.priors.config.PriorConfig`, as it is written. */
export interface ContextConfig {
  name: string;
  ends: number[];
  passes: number[];
  steps?: number[];
  bases?: number[];
  part?: string;
}

/** What codes a group, or the map. */
interface Codec {
  network: Network;
  passes: number;
  stepClass: number;
  /** Of its digits; none of a latent. */
  bases: number[];
}

export class ContextPrior implements Prior {
  readonly name: string;
  private readonly networks: Network[];
  private readonly map: Network;
  private readonly open: CodingTable[];
  private readonly closed: ClosedTables;

  constructor(
    private readonly config: ContextConfig,
    readonly sha256: string,
    arrays: Arrays,
  ) {
    this.name = config.name;
    this.networks = config.passes.map((passes, group) => new Network(arrays, `group_${group}`, passes));
    this.map = new Network(arrays, "map", MAP_PASSES);
    this.open = config.bases?.length
      ? []
      : openTables(arrays.int32("open_firsts"), arrays.int32("open_sizes"), arrays.int32("open_frequencies"));
    const ofMaps = Array.from({ length: LARGEST_CLASSES - 1 }, (_, i) => i + 2);
    const bases = [...new Set([...ofMaps, ...(config.bases ?? [])])].sort((a, b) => a - b);
    this.closed = new ClosedTables(arrays.int32("closed"), bases, this.open.length && OPEN_TABLES);
  }

  modelOf({ name, channels, steps, bases, counts }: PartHeader): SymbolModel | null {
    const { config } = this;
    const own = config.bases ?? [];
    const digits = bases.flat();
    const known =
      counts.length <= LARGEST_CLASSES &&
      (!config.part || config.part === name) &&
      channels <= config.ends.at(-1)! &&
      digits.every((base, i) => base === own[i]) &&
      (digits.length > 0) === own.length > 0;
    if (!known) return null;
    const begins = [0, ...config.ends].filter((begin) => begin < channels);
    const groups = begins.map((begin, i): [number, number] => [begin, Math.min(config.ends[i], channels)]);
    const usual = stepClass(steps, config.steps ?? []);
    return {
      groups,
      table: (number) => this.open[number] ?? this.closed.table(number),
      readMap: (grid, classes, exchange) => this.readMap(grid, classes, usual, exchange),
      readGroup: (group, grid, exchange) => {
        const codec = {
          network: this.networks[group],
          passes: config.passes[group],
          stepClass: usual,
          bases: own,
        };
        this.read(codec, groups[group], grid, levelsOf(grid), exchange);
      },
    };
  }

  private readMap(
    { steps, rows, columns }: Omit<Grid, "symbols" | "counts">,
    classes: number,
    usual: number,
    exchange: Exchange,
  ): Int32Array {
    const grid = { symbols: new Int32Array(steps * rows * columns), counts: null, steps, rows, columns };
    const codec = { network: this.map, passes: MAP_PASSES, stepClass: usual, bases: [classes] };
    this.read(codec, [0, 1], grid, new Uint8Array(grid.symbols.length), exchange);
    return grid.symbols;
  }

  /** Code a group step after step. */
  private read(
    codec: Codec,
    [start, stop]: [number, number],
    { symbols, counts, steps, rows, columns }: Grid,
    levels: Uint8Array,
    exchange: Exchange,
  ): void {
    const { network, bases } = codec;
    const positions = rows * columns;
    const plane = (channel: number, step: number) => {
      const begin = (channel * steps + step) * positions;
      return symbols.subarray(begin, begin + positions);
    };
    /** What the network sees of a channel: symbols, or digits around zero where there are some. */
    const seenOf = (channel: number, step: number): Int32Array => {
      const own = plane(channel, step);
      if (!bases.length) return own;
      return own.map((digit, p) =>
        counts && counts[step * positions + p] <= channel ? 0 : 2 * digit - (bases[channel] - 1),
      );
    };
    let before = new StepView(network.lower + network.own, positions);
    let past: Int32Array[] = [];
    for (let step = 0; step < steps; step++) {
      const present = (channel: number, p: number) => !counts || counts[step * positions + p] > channel;
      const view = new StepView(network.lower + network.own, positions);
      const lower = Array.from({ length: start }, (_, channel) => seenOf(channel, step));
      lower.forEach((own, channel) => view.see(channel, own, past[channel] ?? null));
      const needed = Uint8Array.from({ length: positions }, (_, p) => (present(start, p) ? 1 : 0));
      const values = Array.from({ length: network.own }, () => new Int32Array(positions));
      if (needed.includes(1)) {
        const here = levels.subarray(step * positions, (step + 1) * positions);
        const levelsBefore = step
          ? levels.subarray((step - 1) * positions, step * positions)
          : new Uint8Array(positions);
        const known = { rows, columns, here: view, before, levels: here, levelsBefore, stepClass: codec.stepClass };
        const work = new GroupStep(network, known, needed);
        for (let turn = 0; turn < codec.passes; turn++) {
          const chosen = placesOf(codec.passes, turn, rows, columns);
          const asked = chosen.filter((p) => needed[p]);
          this.exchange(codec, work, turn, asked, [start, stop], present, exchange, values);
          if (turn + 1 === codec.passes) break;
          for (const p of chosen)
            values.forEach((own, c) => work.put(p, c, own[p], past[start + c]?.[p] ?? 0));
        }
      }
      values.forEach((own, c) => view.see(start + c, own, past[start + c] ?? null));
      for (let c = 0; c < stop - start; c++) {
        const base = bases[start + c];
        const to = plane(start + c, step);
        values[c].forEach((value, p) => {
          if (present(start + c, p)) to[p] = base ? (value + base - 1) / 2 : value;
        });
      }
      before = view;
      past = [...lower, ...values];
    }
  }

  /** Code the symbols of a pass into `values`: channel after channel, positions in raster order. */
  private exchange(
    { bases }: Codec,
    work: GroupStep,
    turn: number,
    asked: number[],
    [start, stop]: [number, number],
    present: (channel: number, p: number) => boolean,
    exchange: Exchange,
    values: Int32Array[],
  ): void {
    const channels = stop - start;
    const offsets = new Int32Array(channels * asked.length),
      tables = new Int32Array(channels * asked.length);
    asked.forEach((p, i) => {
      work.expect(turn, p);
      for (let c = 0; c < channels; c++) {
        const at = c * asked.length + i;
        const base = bases[start + c];
        if (base) tables[at] = this.closed.first(base) + closedTable(work.means[c], work.scales[c], base);
        else ({ offset: offsets[at], table: tables[at] } = openTable(work.means[c], work.scales[c]));
      }
    });
    const stored: number[] = [];
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < asked.length; i++)
        if (present(start + c, asked[i])) stored.push(c * asked.length + i);
    const found = exchange(
      Int32Array.from(stored, (at) => offsets[at]),
      Int32Array.from(stored, (at) => tables[at]),
    );
    stored.forEach((at, i) => {
      const c = Math.floor(at / asked.length);
      const base = bases[start + c];
      values[c][asked[at % asked.length]] = base ? 2 * found[i] - (base - 1) : found[i];
    });
  }
}

/** The positions of a pass, in raster order. */
function placesOf(passes: number, turn: number, rows: number, columns: number): number[] {
  const found: number[] = [];
  for (let row = 0, p = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, p++)
      if (passOf(passes, row, column) === turn) found.push(p);
  return found;
}

/** How many classes of counts each position reaches; all where there is no map. */
function levelsOf({ counts, steps, rows, columns }: Grid): Uint8Array {
  const reached = (count: number) => COUNT_CLASSES.filter((least) => count >= least).length;
  if (!counts) return new Uint8Array(steps * rows * columns).fill(COUNT_CLASSES.length);
  return Uint8Array.from(counts, reached);
}
