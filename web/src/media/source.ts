// What frames come from: one after the other, at the size at which they are encoded.

import type { Size } from "../codec/facts";
import type { Pixels } from "../codec/pixels";

export interface Frame {
  pixels: Pixels;
  /** Seconds since the clip began. */
  time: number;
}

export interface Source {
  name: string;
  /** Of the frames that it gives. */
  size: Size;
  /** Of what was opened, where that is larger. */
  original: Size;
  /** Whether frames come as time goes by, whoever waits for them. */
  live: boolean;
  frames(): AsyncGenerator<Frame, void, unknown>;
  close(): void;
}

/** What cannot be opened, in words for the user. */
export class SourceError extends Error {}

/** The size at which frames are encoded: no side is longer than `side`, and nothing is made larger. */
export function fitted(size: Size, side: number): Size {
  const scale = Math.min(1, side / Math.max(size.height, size.width));
  const fit = (length: number) => Math.max(1, Math.round(length * scale));
  return { height: fit(size.height), width: fit(size.width) };
}

/** Draws pictures of any size into frames. */
export class Scaler {
  private readonly context: OffscreenCanvasRenderingContext2D;

  constructor(private readonly size: Size) {
    const canvas = new OffscreenCanvas(size.width, size.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new SourceError("This browser gives no canvas to draw frames with.");
    context.imageSmoothingQuality = "high";
    this.context = context;
  }

  /** The pixels of what `draw` draws. */
  pixels(draw: (context: OffscreenCanvasRenderingContext2D, width: number, height: number) => void): Pixels {
    const { width, height } = this.size;
    this.context.fillRect(0, 0, width, height);
    draw(this.context, width, height);
    return this.context.getImageData(0, 0, width, height).data as Pixels;
  }
}
