// A clip of steps, whatever they consist of: as the page shows it.

import type { Grouping, Size } from "./facts";
import type { Pixels } from "./pixels";
import type { ChunkRate } from "./rate";

/** How a clip is decoded. */
export interface Settings {
  /** Leading channels that the decoder gets. */
  channels: number;
  /** Coarseness of the quantiser, as `tubelet encode --step`; 0 for none. */
  coarseness: number;
}

/** A step that is shown. */
export interface Shown {
  step: number;
  frames: Pixels[];
  /** As the decoder got it: a latent; digits of tokens as numbers around zero. Channels, rows, columns. */
  latent: Float32Array;
  /** The digits of a clip of tokens, likewise; else none. */
  digits: Int32Array | null;
  rate: ChunkRate;
}

/** A clip that is open. */
export interface Clip {
  readonly size: Size;
  /** Positions of a step. */
  readonly cells: Size;
  readonly grouping: Grouping;
  /** Steps that it has. */
  readonly length: number;
  show(step: number, settings: Settings): Promise<Shown>;
}

/** A clip that frames can be added to, and that can be saved. */
export interface EncodedClip extends Clip {
  /** Encode the frames of the next step. */
  push(frames: Pixels[]): Promise<void>;
  /** The symbols of a step, as a file holds them: channels, rows, columns. */
  symbolsOf(step: number, coarseness: number): Int32Array;
}

/** Steps whose symbols share a table in a file. */
export const CHUNK_STEPS = 32;
