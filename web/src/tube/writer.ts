// A .tube file (SPEC): of version 1 with a latent of one part, 2 with tokens, 3 with a latent of several parts.

import { crc32, crcOfSymbols } from "./bytes";
import type { PartHeader } from "./header";
import { type Json, canonical } from "./json";
import { RangeEncoder, sharesOf } from "./range";
import { evenFrequencies, frequenciesOf } from "./segment";

/** What a file says of a part; without counts and centroids. */
export type WrittenPart = Omit<PartHeader, "counts" | "centroids">;

/** What a file says of its latent, or of its tokens. */
export interface Facts {
  tokenizer: string;
  tokenizerSha256: string;
  stride: [number, number, number];
  leadFrame: boolean;
  height: number;
  width: number;
  /** Of which all channels are stored at every position. */
  parts: WrittenPart[];
  /** Seconds per tick of the timestamps. */
  timeBase: [number, number];
  /** Of the video that was encoded. */
  name: string;
}

/** Consecutive steps that decode alone. */
export interface ChunkOfSteps {
  steps: number;
  /** Symbols of each part: channels, latent steps, rows, columns. */
  symbols: Int32Array[];
  /** In ticks, of the frames that the steps complete. */
  timestamps: number[];
}

/** The bytes of a file. */
export function writeTube(facts: Facts, chunks: ChunkOfSteps[]): Uint8Array<ArrayBuffer> {
  const records = new Sink();
  const index = new Sink();
  index.uv(chunks.length);
  const place = { number: 0, step: 0, frame: 0 };
  for (const chunk of chunks) {
    const payload = chunkBytes(facts, chunk, place);
    records.record("V", payload);
    index.u8("V".charCodeAt(0)).uv(payload.length).uv(chunk.steps).uv(chunk.timestamps.length);
    place.number++;
    place.step += chunk.steps;
    place.frame += chunk.timestamps.length;
  }
  index.uv(place.step).uv(place.frame).checksum();
  const start = startBytes(facts);
  const offset = start.length + records.length;
  records.record("I", index.bytes());
  const trailer = new Sink().u64(offset).checksum().put([0x93, 0x54, 0x55, 0x42, 0x45, 0x4e, 0x44, 0x0a]);
  return new Sink().put(start).put(records.bytes()).put(trailer.bytes()).bytes();
}

/** The one that says all there is to say. */
function versionOf({ parts }: Facts): 1 | 2 | 3 {
  if (parts.length > 1) return 3;
  return parts[0].bases.length ? 2 : 1;
}

/** What a header of this version says of the parts. */
function partsInHeader({ parts }: Facts, version: 1 | 2 | 3): Record<string, Json> {
  if (version < 3) {
    const [{ channels, rows, columns, bases, steps }] = parts;
    const sizes = { channels, latent_height: rows, latent_width: columns };
    return version === 2 ? { ...sizes, bases } : { ...sizes, steps };
  }
  const own = parts.map(({ name, channels, stride, rows, columns, steps }) => {
    return { name, channels, stride, rows, columns, steps, counts: [], centroids: [] };
  });
  return { content: "latent", parts: own, prior: null };
}

function startBytes(facts: Facts): Uint8Array {
  const version = versionOf(facts);
  const header = new TextEncoder().encode(
    canonical({
      tokenizer: facts.tokenizer,
      tokenizer_sha256: facts.tokenizerSha256,
      stride: facts.stride,
      lead_frame: facts.leadFrame,
      height: facts.height,
      width: facts.width,
      time_base: facts.timeBase,
      sample_aspect: [1, 1],
      // A canvas holds RGB: nothing is known of how a video of it should be tagged.
      colour: { matrix: "bt709", primaries: 1, range: "limited", tagged: false, transfer: 1 },
      source: { name: facts.name },
      audio: null,
      ...partsInHeader(facts, version),
    }),
  );
  return new Sink()
    .put([0x93, 0x54, 0x55, 0x42, 0x0d, 0x0a, 0x1a, 0x0a])
    .u16(version)
    .u32(header.length)
    .put(header)
    .checksum()
    .bytes();
}

function chunkBytes(
  facts: Facts,
  chunk: ChunkOfSteps,
  place: { number: number; step: number; frame: number },
): Uint8Array {
  const version = versionOf(facts);
  const [{ channels, rows, columns }] = facts.parts;
  const head = new Sink().uv(place.number).uv(place.step).uv(place.frame);
  if (version < 3) head.uv(channels);
  head.uv(chunk.steps);
  if (version < 3) head.uv(rows).uv(columns);
  head.uv(chunk.timestamps.length);
  chunk.timestamps.forEach((time, i) => (i ? head.uv(time - chunk.timestamps[i - 1] - 1) : head.sv(time)));
  const segments = new Sink();
  facts.parts.forEach((part, i) => {
    // Coded with tables of its own, a segment for each channel.
    if (version === 3) head.uv(0).uv(part.channels);
    putChannels(head, segments, part, chunk.symbols[i]);
  });
  return new Sink().u32(head.length).put(head.bytes()).checksum().put(segments.bytes()).bytes();
}

/** The segments of a part, and their entries in the head. */
function putChannels(head: Sink, segments: Sink, { channels, bases }: WrittenPart, symbols: Int32Array): void {
  const length = symbols.length / channels;
  const flat = bases.flat();
  for (let channel = 0; channel < channels; channel++) {
    const own = symbols.subarray(channel * length, (channel + 1) * length);
    const segment = encodeSegment(own, flat[channel]);
    head.uv(segment.length).u32(crc32(segment)).u32(crcOfSymbols(own));
    segments.put(segment);
  }
}

/** The symbols of one channel; digits of a `base` without a table, if that is shorter. */
export function encodeSegment(symbols: Int32Array, base?: number): Uint8Array<ArrayBuffer> {
  const counted = withTable(symbols);
  if (base === undefined) return counted;
  const sink = new Sink().uv(0);
  putWords(sink, symbols, sharesOf(evenFrequencies(base)));
  return sink.length < counted.length ? sink.bytes() : counted;
}

function withTable(symbols: Int32Array): Uint8Array<ArrayBuffer> {
  const found = new Map<number, number>();
  for (const symbol of symbols) found.set(symbol, (found.get(symbol) ?? 0) + 1);
  const different = [...found.keys()].sort((a, b) => a - b);
  const counts = different.map((symbol) => found.get(symbol)!);
  const sink = new Sink().uv(different.length).sv(different[0]);
  for (let i = 1; i < different.length; i++) sink.uv(different[i] - different[i - 1] - 1);
  for (const count of counts.slice(0, -1)) sink.uv(count - 1);
  if (different.length === 1) return sink.bytes();
  const places = new Map(different.map((symbol, i) => [symbol, i]));
  const indices = symbols.map((symbol) => places.get(symbol)!);
  putWords(sink, indices, sharesOf(frequenciesOf(counts, symbols.length)));
  return sink.bytes();
}

function putWords(sink: Sink, indices: Int32Array, shares: ReturnType<typeof sharesOf>): void {
  const encoder = new RangeEncoder();
  for (const index of indices) encoder.push(index, shares);
  for (const word of encoder.finish()) sink.u32(word);
}

/** Bytes that grow. */
class Sink {
  length = 0;
  private data = new Uint8Array(256);

  put(bytes: ArrayLike<number>): this {
    if (this.length + bytes.length > this.data.length) {
      const larger = new Uint8Array(2 * (this.length + bytes.length));
      larger.set(this.data.subarray(0, this.length));
      this.data = larger;
    }
    this.data.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  u8(value: number): this {
    return this.put([value]);
  }

  u16(value: number): this {
    return this.put([value & 255, value >>> 8]);
  }

  u32(value: number): this {
    return this.put([value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);
  }

  u64(value: number): this {
    return this.u32(value % 2 ** 32).u32(Math.floor(value / 2 ** 32));
  }

  uv(value: number): this {
    while (value >= 128) {
      this.u8((value % 128) | 128);
      value = Math.floor(value / 128);
    }
    return this.u8(value);
  }

  sv(value: number): this {
    return this.uv(value >= 0 ? 2 * value : -2 * value - 1);
  }

  /** Of everything before. */
  checksum(): this {
    return this.u32(crc32(this.bytes()));
  }

  record(kind: string, payload: Uint8Array): this {
    const head = new Sink().u8(kind.charCodeAt(0)).u64(payload.length).checksum();
    return this.put(head.bytes()).put(payload);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.length);
  }
}
