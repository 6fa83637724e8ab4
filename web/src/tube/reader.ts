// A .tube file as its header, chunks of symbols and timestamps (SPEC, sections 3, 5, 8 and 9).

import { Bytes, NewerError, TubeError, checkedTime } from "./bytes";
import { type Header, type PartHeader, parseHeader } from "./header";
import type { Prior } from "./modelled";
import { type CodedPart, type PartSymbols, readPart } from "./part";

const MAGIC = [0x93, 0x54, 0x55, 0x42, 0x0d, 0x0a, 0x1a, 0x0a];
const END = [0x93, 0x54, 0x55, 0x42, 0x45, 0x4e, 0x44, 0x0a];
const MOST_HEADER = 2 ** 24,
  MOST_HEAD = 2 ** 20,
  MOST_OTHER = 2 ** 26,
  MOST_FRAMES = 2 ** 16,
  MOST_SYMBOLS = 2 ** 27;
const V = 0x56,
  A = 0x41,
  E = 0x65,
  I = 0x49;

export interface Chunk {
  steps: number;
  /** In ticks, of the frames that are complete with this chunk. */
  timestamps: bigint[];
  parts: PartSymbols[];
}

export interface Tube {
  header: Header;
  chunks: Chunk[];
  /** When the last frame stops being shown, where the file says it. */
  end: bigint | null;
  /** Why a part of the video is missing; null if it is whole. */
  incomplete: string | null;
}

interface Head {
  steps: number;
  timestamps: bigint[];
  parts: CodedPart[];
}

/** Where the next chunk must begin. */
interface Place {
  chunks: number;
  steps: number;
  frames: number;
  time: bigint | null;
}

/** The header of a file alone. */
export function readHeader(data: Uint8Array): Header {
  return readStart(new Bytes(data));
}

/**
 * Read a file, with the prior that its header names. What is whole before damage is kept, if that is a chunk at
 * least; else fails with `TubeError`.
 */
export function readTube(data: Uint8Array, prior: Prior | null = null): Tube {
  const file = new Bytes(data);
  const header = readStart(file);
  const tube: Tube = { header, chunks: [], end: null, incomplete: null };
  try {
    readRecords(file, tube, prior);
  } catch (error) {
    // A RangeError is memory that could not be had.
    if (!(error instanceof TubeError || error instanceof RangeError)) throw error;
    const named =
      error instanceof TubeError
        ? error
        : new TubeError(`the file is too large for this browser: ${(error as Error).message}`);
    if (tube.chunks.length === 0 || named instanceof NewerError) throw named;
    tube.incomplete = named.message;
  }
  return tube;
}

function readStart(file: Bytes): Header {
  if (file.left < 14 || !MAGIC.every((byte) => file.u8() === byte))
    throw new TubeError("this is not a .tube file");
  const version = file.u16();
  if (version > 3)
    throw new NewerError(
      `the file is of version ${version}, and this page reads 1 to 3: it needs a newer one`,
    );
  if (version < 1) throw new TubeError("the file is damaged: it has no version");
  const length = file.u32();
  if (length > MOST_HEADER) throw new TubeError("the file is damaged: its header is too long");
  const text = file.take(length);
  file.checksum(0, "the header");
  return parseHeader(text, version);
}

function readRecords(file: Bytes, tube: Tube, prior: Prior | null): void {
  const place: Place = { chunks: 0, steps: 0, frames: 0, time: null };
  const records: [number, number, Chunk | null][] = [];
  for (;;) {
    const begin = file.at;
    if (file.left < 13) throw new TubeError("the file is cut short");
    const kind = file.u8(),
      long = file.u64();
    file.checksum(begin, "a record");
    if (long > BigInt(file.left)) throw new TubeError("the file is cut short");
    const length = Number(long);
    const payload = new Bytes(file.take(length));
    if (kind === I) {
      readIndex(payload, records);
      return readTrailer(file, begin);
    }
    let chunk: Chunk | null = null;
    if (kind === V) {
      chunk = readChunk(payload, tube.header, place, prior);
      tube.chunks.push(chunk);
    } else if (kind === E) readEnd(payload, tube, place);
    else if (kind === A) checkAudio(payload, tube.header);
    else skip(kind, payload);
    records.push([kind, length, chunk]);
  }
}

function skip(kind: number, payload: Bytes): void {
  const letter = String.fromCharCode(kind);
  if (/[A-Z]/.test(letter))
    throw new NewerError(`the file has a record of kind ${letter}: it needs a newer page`);
  if (!/[a-z]/.test(letter) || payload.left < 4)
    throw new TubeError("the file is damaged: a record has no kind");
  payload.take(payload.left - 4);
  payload.checksum(0, "a record");
}

function readEnd(payload: Bytes, tube: Tube, place: Place): void {
  const end = payload.time();
  payload.checksum(0, "the end of the last frame");
  payload.done("the end of the last frame");
  if (tube.end !== null || place.time === null || end <= place.time)
    throw new TubeError("the file is damaged: its end is in its past");
  tube.end = end;
}

function checkAudio(payload: Bytes, header: Header): void {
  if (!header.hasAudio || payload.left < 4 || payload.left > MOST_OTHER)
    throw new TubeError("the file is damaged: its audio means nothing");
  payload.take(payload.left - 4);
  payload.checksum(0, "the audio");
}

function readIndex(payload: Bytes, records: [number, number, Chunk | null][]): void {
  const damaged = new TubeError("the file is damaged: its index names other records than it has");
  if (payload.left > MOST_OTHER) throw damaged;
  let steps = 0,
    frames = 0;
  if (payload.uv(MOST_OTHER) !== records.length) throw damaged;
  for (const [kind, length, chunk] of records) {
    if (payload.u8() !== kind || payload.uv(Number.MAX_SAFE_INTEGER) !== length) throw damaged;
    if (!chunk) continue;
    if (payload.uv(MOST_SYMBOLS) !== chunk.steps || payload.uv(MOST_FRAMES) !== chunk.timestamps.length)
      throw damaged;
    steps += chunk.steps;
    frames += chunk.timestamps.length;
  }
  if (payload.uv(Number.MAX_SAFE_INTEGER) !== steps || payload.uv(Number.MAX_SAFE_INTEGER) !== frames)
    throw damaged;
  payload.checksum(0, "the index");
  payload.done("the index");
}

function readTrailer(file: Bytes, index: number): void {
  const begin = file.at;
  if (file.left !== 20) throw new TubeError("the file is damaged at its end");
  const offset = file.u64();
  file.checksum(begin, "the end of the file");
  if (offset !== BigInt(index) || !END.every((byte) => file.u8() === byte))
    throw new TubeError("the file is damaged at its end");
}

function readChunk(payload: Bytes, header: Header, place: Place, prior: Prior | null): Chunk {
  const size = payload.u32();
  if (size > MOST_HEAD) throw new TubeError("the file is damaged: the head of a chunk is too long");
  const bytes = new Bytes(payload.take(size));
  payload.checksum(0, "the head of a chunk");
  const head = readHead(bytes, header, place);
  const first = place.steps === 0;
  const parts = header.parts.map((part, i) =>
    readPart(payload, part, head.parts[i], latentSteps(header, part, head.steps, first), header, prior),
  );
  payload.done("a chunk");
  place.chunks++;
  place.steps += head.steps;
  place.frames += head.timestamps.length;
  place.time = head.timestamps.at(-1) ?? place.time;
  return { steps: head.steps, timestamps: head.timestamps, parts };
}

function readHead(head: Bytes, header: Header, place: Place): Head {
  const most = Number.MAX_SAFE_INTEGER;
  const damaged = new TubeError("the file is damaged: a chunk is not where it belongs");
  if (head.uv(most) !== place.chunks || head.uv(most) !== place.steps || head.uv(most) !== place.frames)
    throw damaged;
  const [only] = header.parts;
  if (header.version < 3 && head.uv(most) !== only.channels) throw damaged;
  const steps = head.uv(MOST_SYMBOLS);
  if (header.version < 3 && (head.uv(most) !== only.rows || head.uv(most) !== only.columns)) throw damaged;
  const first = place.steps === 0;
  const symbols = header.parts.reduce(
    (sum, part) => sum + part.channels * latentSteps(header, part, steps, first) * part.rows * part.columns,
    0,
  );
  if (steps < 1 || symbols > MOST_SYMBOLS) throw new TubeError("the file is damaged: a chunk is too large");
  const timestamps = readTimes(head, place);
  const parts = header.parts.map((part) => {
    const coding = header.version < 3 ? 0 : head.uv(1);
    const count = header.version < 3 ? part.channels : head.uv(part.channels + 1);
    const entry = () => ({
      size: head.uv(Number.MAX_SAFE_INTEGER),
      crcSegment: head.u32(),
      crcSymbols: head.u32(),
    });
    return { coding, entries: Array.from({ length: count }, entry) };
  });
  head.done("the head of a chunk");
  return { steps, timestamps, parts };
}

function readTimes(head: Bytes, place: Place): bigint[] {
  const times: bigint[] = [];
  const frames = head.uv(MOST_FRAMES);
  for (let i = 0; i < frames; i++) times.push(i ? checkedTime(times[i - 1] + head.big() + 1n) : head.time());
  if (frames && place.time !== null && times[0] <= place.time)
    throw new TubeError("the file is damaged: time goes back");
  return times;
}

/** How many latent steps of a part so many steps are. */
function latentSteps(header: Header, part: PartHeader, steps: number, first: boolean): number {
  const lead = header.leadFrame && first ? 1 : 0;
  return lead + (steps - lead) * (header.stride[0] / part.stride[0]);
}
