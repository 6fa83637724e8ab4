// What the page asks of the worker that computes, and what it answers.

import type { Settings, Shown } from "./clip";
import type { Facts, Grouping, Size } from "./facts";
import type { Layout } from "./layout";
import type { Pixels } from "./pixels";
import type { Saved } from "./to_tube";

/** What a .tube file holds. */
export interface OpenedTube {
  size: Size;
  /** With as many channels as it has. */
  parts: Layout[];
  grouping: Grouping;
  /** Of each token of a position, how many values its digits have; none of a latent. */
  bases: number[][];
  /** Whether it is decoded here; tokens of other tokenizers are shown as colours. */
  decoded: boolean;
  steps: number;
  /** Seconds since the clip began, of each frame. */
  times: number[];
  /** Why a part is missing; null if it is whole. */
  incomplete: string | null;
}

/** Functions of the worker, by name: what goes in, what comes out. */
export interface Calls {
  /** With the runtime that is asked for, or else the best one. */
  load: { given: { base: string; runtime: string | null }; answer: { facts: Facts; runtime: string } };
  begin: { given: Size; answer: undefined };
  push: { given: { frames: Pixels[] }; answer: undefined };
  openTube: { given: { bytes: Uint8Array<ArrayBuffer> }; answer: OpenedTube };
  save: { given: Saved; answer: Uint8Array<ArrayBuffer> };
  show: { given: { step: number; settings: Settings }; answer: Shown };
}

export type Name = keyof Calls;

export interface Call<N extends Name = Name> {
  id: number;
  name: N;
  given: Calls[N]["given"];
}

/** The answer to a call, or the text of what went wrong. */
export interface Answer {
  id: number;
  answer?: Calls[Name]["answer"];
  error?: string;
  /** Milliseconds that it took in the worker. */
  time: number;
}
