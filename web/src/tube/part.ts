// The segments of a part in a chunk (SPEC, sections 5 to 7): the map of counts, then its channels or groups of them.

import { type Bytes, NewerError, TubeError, crc32, crcOfSymbols } from "./bytes";
import type { Header, PartHeader } from "./header";
import { ModelledSegment, type Prior, type SymbolModel } from "./modelled";
import { decodeSegment } from "./segment";

const MOST_SYMBOL = 2 ** 23 - 1;

/** The symbols of a part in a chunk: channels, latent steps, rows, columns. */
export interface PartSymbols {
  symbols: Int32Array;
  /** Channels of each position: latent steps, rows, columns; all for none. */
  counts: Int32Array | null;
  steps: number;
  /** Bytes of the segment that begins with each channel, and of the map of counts. */
  sizes: number[];
  mapSize: number;
}

/** What the head of a chunk says of a part. */
export interface CodedPart {
  coding: number;
  entries: { size: number; crcSegment: number; crcSymbols: number }[];
}

/** Read a part of so many latent steps; its segments are next in the payload. */
export function readPart(
  payload: Bytes,
  part: PartHeader,
  coded: CodedPart,
  steps: number,
  header: Header,
  prior: Prior | null,
): PartSymbols {
  const model = coded.coding === 1 ? modelOf(part, header, prior) : null;
  const groups = model?.groups ?? Array.from({ length: part.channels }, (_, c): [number, number] => [c, c + 1]);
  const mapped = part.counts.length > 1;
  if (coded.entries.length !== groups.length + (mapped ? 1 : 0))
    throw new TubeError("the file is damaged: a chunk has too few segments");
  const segments = new Segments(payload, coded);
  const reading = new PartReading(part, steps, model, segments);
  const mapSize = mapped ? segments.size : 0;
  reading.map();
  const sizes = new Array<number>(part.channels).fill(0);
  groups.forEach((group, i) => {
    sizes[group[0]] = segments.size;
    reading.group(i, group);
  });
  const { symbols, counts } = reading;
  return { symbols, counts, steps, sizes, mapSize };
}

function modelOf(part: PartHeader, { prior: named }: Header, prior: Prior | null): SymbolModel {
  if (!named)
    throw new TubeError("the file is damaged: a chunk needs a prior, and the header names none");
  const known = prior !== null && prior.name === named.name && prior.sha256 === named.sha256;
  const model = known ? prior.modelOf(part) : null;
  if (model) return model;
  throw new NewerError(
    `the file needs the prior ${named.name}, which this page does not have: "tubelet transcode FILE -o NEW.tube --no-prior" writes it without`,
  );
}

/** The segments of a part, one after the other, with their checksums. */
class Segments {
  private at = 0;

  constructor(
    private readonly payload: Bytes,
    private readonly coded: CodedPart,
  ) {}

  /** Bytes of the next one. */
  get size(): number {
    return this.coded.entries[this.at].size;
  }

  /** Read the next one by `decode`, which gives the symbols that it holds. */
  next(decode: (data: Uint8Array) => Int32Array): Int32Array {
    const { size, crcSegment, crcSymbols } = this.coded.entries[this.at++];
    const data = this.payload.take(size);
    if (crc32(data) !== crcSegment)
      throw new TubeError("the file is damaged: the checksum of a segment does not match");
    const symbols = decode(data);
    if (crcOfSymbols(symbols) !== crcSymbols)
      throw new TubeError("the file is damaged: the checksum of symbols does not match");
    return symbols;
  }
}

/** A part as far as it is read. */
class PartReading {
  readonly symbols: Int32Array;
  counts: Int32Array | null = null;
  private readonly positions: number;

  constructor(
    private readonly part: PartHeader,
    private readonly steps: number,
    private readonly model: SymbolModel | null,
    private readonly segments: Segments,
  ) {
    this.positions = steps * part.rows * part.columns;
    this.symbols = new Int32Array(part.channels * this.positions);
  }

  /** The map of counts, from the next segment where positions may differ. */
  map(): void {
    const { positions, model, steps } = this;
    const { counts, rows, columns } = this.part;
    if (counts.length === 1) this.counts = new Int32Array(positions).fill(counts[0]);
    if (counts.length < 2) return;
    const indices = this.segments.next((data) => {
      if (!model) return decodeSegment(data, positions, counts.length);
      const segment = new ModelledSegment(data, model, positions, 0, counts.length - 1);
      return segment.all((exchange) => model.readMap({ steps, rows, columns }, counts.length, exchange));
    });
    this.counts = indices.map((index) => counts[index]);
  }

  /** A channel, or a group of them, from the next segment. */
  group(number: number, [begin, end]: [number, number]): void {
    const { part, model, steps, symbols, counts } = this;
    const bases = part.bases.flat().slice(begin, end);
    const places = this.places(begin, end);
    this.segments.next((data) => {
      if (!model) {
        const found = decodeSegment(data, places.length, bases[0] ?? null);
        found.forEach((symbol, i) => (symbols[places[i]] = symbol));
        return found;
      }
      if (places.length === 0 && data.length === 0) return new Int32Array(0);
      const [least, most] = bases.length ? [0, Math.max(...bases) - 1] : [-MOST_SYMBOL, MOST_SYMBOL];
      const segment = new ModelledSegment(data, model, places.length, least, most);
      const grid = { symbols, counts, steps, rows: part.rows, columns: part.columns };
      segment.all((exchange) => model.readGroup(number, grid, exchange));
      return places.map((at) => symbols[at]);
    });
  }

  /** Where channels have symbols, in raster order. */
  private places(begin: number, end: number): Int32Array {
    const { counts, positions } = this;
    const found = new Int32Array((end - begin) * positions);
    let length = 0;
    for (let channel = begin; channel < end; channel++)
      for (let at = 0; at < positions; at++)
        if (!counts || counts[at] > channel) found[length++] = channel * positions + at;
    return found.subarray(0, length);
  }
}
