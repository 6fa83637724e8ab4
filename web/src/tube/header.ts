// The header of a .tube file (SPEC, section 4): what it must hold, and nothing else.

import { TubeError } from "./bytes";
import { type Json, parseCanonical } from "./json";

/** A grid of symbols. */
export interface PartHeader {
  name: string;
  channels: number;
  stride: [number, number, number];
  rows: number;
  columns: number;
  /** Quantiser step of each channel in 2^-20; of a latent alone. */
  steps: number[];
  /** How much nearer to zero symbols of magnitude 1, and larger ones, stand, in 1/256 of a step; or none. */
  centroids: [number, number][];
  /** How many values each digit of each token has; of tokens alone. */
  bases: number[][];
  /** How many channels a position may have; all alone for none. */
  counts: number[];
}

export interface Header {
  version: number;
  content: "latent" | "tokens";
  tokenizer: string;
  tokenizerSha256: string;
  stride: [number, number, number];
  leadFrame: boolean;
  height: number;
  width: number;
  timeBase: [number, number];
  parts: PartHeader[];
  prior: { name: string; sha256: string } | null;
  hasAudio: boolean;
}

const COMMON = [
  "tokenizer",
  "tokenizer_sha256",
  "stride",
  "lead_frame",
  "height",
  "width",
  "time_base",
  "sample_aspect",
  "colour",
  "source",
  "audio",
];
const OF_VERSION: Record<number, string[]> = {
  1: ["channels", "latent_height", "latent_width", "steps"],
  2: ["channels", "latent_height", "latent_width", "bases"],
  3: ["content", "parts", "prior"],
};
const AUDIO = ["codec", "layout", "sample_rate", "channels", "time_base", "extradata", "parameters"];
const MOST_CHANNELS = 2 ** 12,
  MOST_SIDE = 2 ** 16,
  MOST_TICKS = 2 ** 31 - 1;

/** The header of a file of this version, from its text. */
export function parseHeader(bytes: Uint8Array, version: number): Header {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw wrong("its text");
  }
  const found = object(
    parseCanonical(text, version === 3 ? 5 : 4),
    [...COMMON, ...OF_VERSION[version]],
    "its keys",
  );
  const stride = triple(found.stride, "stride");
  const content =
    version === 3
      ? choice(found.content, ["latent", "tokens"] as const, "content")
      : version === 1
        ? "latent"
        : "tokens";
  const listed = version === 3 ? list(found.parts, 1, 64, "parts") : [];
  const parts =
    version === 3 ? listed.map((part) => partOf(part, content)) : [onlyPart(found, stride, content)];
  const prior = version === 3 && found.prior !== null ? priorOf(found.prior) : null;
  checkFacts(found);
  const header: Header = {
    version,
    content,
    stride,
    parts,
    prior,
    tokenizer: string(found.tokenizer, "tokenizer"),
    tokenizerSha256: digest(found.tokenizer_sha256, "tokenizer_sha256"),
    leadFrame: boolean(found.lead_frame, "lead_frame"),
    height: whole(found.height, 1, MOST_SIDE, "height"),
    width: whole(found.width, 1, MOST_SIDE, "width"),
    timeBase: pair(found.time_base, "time_base"),
    hasAudio: found.audio !== null,
  };
  checkSizes(header);
  return header;
}

function onlyPart(found: Fields, stride: [number, number, number], content: Header["content"]): PartHeader {
  const fields = { channels: found.channels, rows: found.latent_height, columns: found.latent_width };
  return {
    name: content,
    stride,
    counts: [],
    centroids: [],
    ...sizesOf(fields),
    ...symbolsOf(found, content),
  };
}

function partOf(given: Json, content: Header["content"]): PartHeader {
  const own = content === "latent" ? ["steps", "centroids"] : ["bases"];
  const found = object(given, ["name", "channels", "stride", "rows", "columns", "counts", ...own], "a part");
  const name = string(found.name, "name");
  const length = Array.from(name).length;
  if (length < 1 || length > 64) throw wrong("name");
  const sizes = sizesOf(found);
  const counts = list(found.counts, 0, sizes.channels + 1, "counts").map((count) =>
    whole(count, 0, sizes.channels, "counts"),
  );
  if (counts.some((count, i) => i > 0 && count <= counts[i - 1])) throw wrong("counts");
  const centroids = content === "latent" ? list(found.centroids, 0, sizes.channels, "centroids") : [];
  if (centroids.length && centroids.length !== sizes.channels) throw wrong("centroids");
  return {
    name,
    counts,
    stride: triple(found.stride, "stride"),
    ...sizes,
    ...symbolsOf(found, content),
    centroids: centroids.map(
      (one) => list(one, 2, 2, "centroids").map((c) => whole(c, 0, 127, "centroids")) as [number, number],
    ),
  };
}

function sizesOf(found: Fields): Pick<PartHeader, "channels" | "rows" | "columns"> {
  return {
    channels: whole(found.channels, 1, MOST_CHANNELS, "channels"),
    rows: whole(found.rows, 1, MOST_SIDE, "rows"),
    columns: whole(found.columns, 1, MOST_SIDE, "columns"),
  };
}

function symbolsOf(found: Fields, content: Header["content"]): Pick<PartHeader, "steps" | "bases"> {
  const channels = whole(found.channels, 1, MOST_CHANNELS, "channels");
  if (content === "latent") {
    return {
      bases: [],
      steps: list(found.steps, channels, channels, "steps").map((step) =>
        whole(step, 1, 2 ** 32 - 1, "steps"),
      ),
    };
  }
  const bases = list(found.bases, 1, channels, "bases").map((token) =>
    list(token, 1, channels, "bases").map((base) => whole(base, 2, 2 ** 22, "bases")),
  );
  if (bases.flat().length !== channels) throw wrong("bases");
  return { steps: [], bases };
}

function priorOf(given: Json): { name: string; sha256: string } {
  const found = object(given, ["name", "sha256"], "prior");
  return { name: string(found.name, "prior"), sha256: digest(found.sha256, "prior") };
}

/** What the page does not use must be right all the same. */
function checkFacts(found: Fields): void {
  pair(found.sample_aspect, "sample_aspect");
  for (const name of ["colour", "source"]) {
    const values = Object.values(anyObject(found[name], name));
    if (!values.every((value) => ["string", "boolean", "number", "bigint"].includes(typeof value)))
      throw wrong(name);
  }
  if (found.audio === null) return;
  const audio = object(found.audio, AUDIO, "audio");
  for (const name of ["codec", "layout", "extradata"]) string(audio[name], "audio");
  if (!/^(?:[0-9a-f]{2})*$/.test(string(audio.extradata, "audio"))) throw wrong("audio");
  whole(audio.sample_rate, 1, MOST_TICKS, "audio");
  whole(audio.channels, 1, MOST_SIDE, "audio");
  pair(audio.time_base, "audio");
  const values = Object.values(anyObject(audio.parameters, "audio"));
  if (!values.every((value) => ["string", "number", "bigint"].includes(typeof value))) throw wrong("audio");
}

function checkSizes(header: Header): void {
  const { parts, stride } = header;
  if (parts.reduce((sum, part) => sum + part.channels, 0) > MOST_CHANNELS) throw wrong("channels");
  if (new Set(parts.map((part) => part.name)).size !== parts.length) throw wrong("name");
  const height = parts[0].rows * parts[0].stride[1],
    width = parts[0].columns * parts[0].stride[2];
  for (const part of parts) {
    if (part.stride.some((side, i) => stride[i] % side !== 0)) throw wrong("stride");
    if (part.rows * part.stride[1] !== height || part.columns * part.stride[2] !== width)
      throw wrong("its sizes");
  }
  if (height % stride[1] || width % stride[2] || height < header.height || width < header.width)
    throw wrong("its sizes");
}

type Fields = { [key: string]: Json };

const wrong = (what: string) => new TubeError(`the file is damaged: ${what} in the header means nothing`);

function anyObject(value: Json, what: string): Fields {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw wrong(what);
  return value;
}

function object(value: Json, keys: string[], what: string): Fields {
  const found = anyObject(value, what);
  if (Object.keys(found).length !== keys.length || !keys.every((key) => key in found)) throw wrong(what);
  return found;
}

function list(value: Json, least: number, most: number, what: string): Json[] {
  if (!Array.isArray(value) || value.length < least || value.length > most) throw wrong(what);
  return value;
}

function string(value: Json, what: string): string {
  if (typeof value !== "string") throw wrong(what);
  return value;
}

function boolean(value: Json, what: string): boolean {
  if (typeof value !== "boolean") throw wrong(what);
  return value;
}

function whole(value: Json, least: number, most: number, what: string): number {
  if (typeof value !== "number" || value < least || value > most) throw wrong(what);
  return value;
}

function digest(value: Json, what: string): string {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw wrong(what);
  return value;
}

function choice<T extends string>(value: Json, permitted: readonly T[], what: string): T {
  const found = permitted.find((each) => each === value);
  if (found === undefined) throw wrong(what);
  return found;
}

function pair(value: Json, what: string): [number, number] {
  return list(value, 2, 2, what).map((each) => whole(each, 1, MOST_TICKS, what)) as [number, number];
}

function triple(value: Json, what: string): [number, number, number] {
  return list(value, 3, 3, what).map((each) => whole(each, 1, MOST_SIDE, what)) as [number, number, number];
}
