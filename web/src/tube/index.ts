// Files of symbols: read and written as SPEC.md says.

export { TubeError } from "./bytes";
export type { Header, PartHeader } from "./header";
export type { Prior } from "./modelled";
export type { PartSymbols } from "./part";
export { type Chunk, type Tube, readHeader, readTube } from "./reader";
export { type ChunkOfSteps, type Facts, type WrittenPart, encodeSegment, writeTube } from "./writer";
