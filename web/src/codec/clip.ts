// A clip of steps, whatever they consist of: as the page shows it.

import type { Grouping, Size } from "./facts";
import type { Layout } from "./layout";
import type { Pixels } from "./pixels";
import type { ChunkRate } from "./rate";

/** How a clip is decoded. */
export interface Settings {
  /** Leading channels of each part that the decoder gets. */
  channels: number[];
  /** Coarseness of the quantiser, as `tubelet encode --step`; 0 for none. */
  coarseness: number;
}

/** A step that is shown. */
export interface Shown {
  step: number;
  frames: Pixels[];
  /** Each part as the decoder got it; digits of tokens as numbers around zero. Latent steps, channels, rows, columns. */
  parts: Float32Array<ArrayBuffer>[];
  /** The digits of a clip of tokens, likewise; else none. */
  digits: Int32Array<ArrayBuffer> | null;
  rate: ChunkRate;
}

/** A clip that is open. */
export interface Clip {
  readonly size: Size;
  readonly parts: Layout[];
  readonly grouping: Grouping;
  /** Steps that it has. */
  readonly length: number;
  show(step: number, settings: Settings): Promise<Shown>;
}

/** A clip that frames can be added to, and that can be saved. */
export interface EncodedClip extends Clip {
  /** Encode the frames of the next step. */
  push(frames: Pixels[]): Promise<void>;
  /** The symbols of each part of a step, as a file holds them: latent steps, channels, rows, columns. */
  symbolsOf(step: number, coarseness: number): Int32Array[];
}

/** Steps whose symbols share a table in a file. */
export const CHUNK_STEPS = 32;
