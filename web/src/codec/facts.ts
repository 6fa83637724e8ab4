// What an exported tokenizer says of itself, and how frames fall into its steps.

import type { Header } from "../tube";

/** How frames and pixels fall into steps and positions. */
export interface Grouping {
  /** Frames, rows and columns of pixels of a position. */
  stride: [number, number, number];
  /** Whether the first frame is a step of its own. */
  lead_frame: boolean;
}

/** A part of a latent; `tubelet.types.Part`. */
export interface Part {
  name: string;
  channels: number;
  /** Frames, rows and columns of pixels of a position of it. */
  stride: [number, number, number];
  /** Whether files keep its values as they are. */
  exact: boolean;
  /** Whether numbers of channels are about other parts for another reason. */
  whole: boolean;
}

/** `tubelet.interop.steps.facts.StepFacts`, as far as the page needs it. */
export interface Facts extends Grouping {
  name: string;
  sha256: string;
  /** Of all parts together. */
  channels: number;
  variational: boolean;
  /** Steps that decoding must start before the first step that is wanted. */
  warm_up: number;
  /** Channels of what the encoder, and the decoder, remember; none without a network. */
  encoder_past: number;
  decoder_past: number;
  /** Rows and columns of positions of that, in a cell. */
  encoder_past_side: number;
  decoder_past_side: number;
  /** Of a latent of several parts; none stands for one of the stride of the tokenizer. */
  parts: Part[];
  coding_units: number[];
  /** Of a discrete tokenizer: for each token of a position, how many values its digits have; else empty. */
  bases: number[][];
}

/** Rows and columns, of pixels or of positions. */
export interface Size {
  height: number;
  width: number;
}

/** The parts of a latent, or of tokens, in the order of their tensors. */
export function partsOf({ channels, stride, parts }: Facts): Part[] {
  return parts.length ? parts : [{ name: "latent", channels, stride, exact: false, whole: false }];
}

/** Whether the first channels of a part are a part too, so that some may be left out. */
export function isOrdered({ exact, whole }: Part): boolean {
  return !exact && !whole;
}

/** How frames fall into the steps of a file: a tokenizer can make files of both kinds. */
export function groupingOf({ stride, leadFrame }: Pick<Header, "stride" | "leadFrame">): Grouping {
  return { stride, lead_frame: leadFrame };
}

/** The first frame that a step holds; for the step past the end, the number of frames. */
export function firstFrame(facts: Grouping, step: number): number {
  const [t] = facts.stride;
  if (!facts.lead_frame) return step * t;
  return step === 0 ? 0 : 1 + (step - 1) * t;
}

export function framesIn(facts: Grouping, step: number): number {
  return firstFrame(facts, step + 1) - firstFrame(facts, step);
}

/** The step that holds a frame. */
export function stepOf(facts: Grouping, frame: number): number {
  const [t] = facts.stride;
  return facts.lead_frame ? Math.ceil(frame / t) : Math.floor(frame / t);
}

/** Cells of a frame of pixels. */
export function cellsOf({ stride: [, h, w] }: Grouping, size: Size): Size {
  return { height: Math.ceil(size.height / h), width: Math.ceil(size.width / w) };
}
