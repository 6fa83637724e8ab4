// Source and result: one over the other with a wipe, side by side, or what is between them.

import type { Size } from "../codec/facts";
import type { Pixels } from "../codec/pixels";
import { element } from "./elements";

export type Mode = "wipe" | "pair" | "error";

export class Stage {
  readonly element = element("stage", HTMLElement);
  private readonly source = element("source", HTMLCanvasElement);
  private readonly result = element("result", HTMLCanvasElement);
  private readonly handle = element("handle", HTMLElement);
  private share = 0.5;
  private gain = 4;
  private last: { source: Pixels | null; decoded: Pixels; size: Size } | null = null;

  constructor() {
    this.element.addEventListener("pointerdown", (event) => {
      if (this.mode !== "wipe" || event.button !== 0) return;
      this.element.setPointerCapture(event.pointerId);
      this.point(event);
    });
    this.element.addEventListener("pointermove", (event) => {
      if (this.mode === "wipe" && this.element.hasPointerCapture(event.pointerId)) this.point(event);
    });
    this.handle.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (way === undefined) return;
      this.moveWipe(way);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  get mode(): Mode {
    return this.element.dataset.mode as Mode;
  }

  setMode(mode: Mode): void {
    this.element.dataset.mode = mode;
    this.redraw();
  }

  setGain(gain: number): void {
    this.gain = gain;
    this.redraw();
  }

  moveWipe(way: number): void {
    this.setShare(this.share + way);
  }

  /** Draw a frame; without a source, what is decoded alone. */
  draw(source: Pixels | null, decoded: Pixels, size: Size): void {
    this.last = { source, decoded, size };
    this.element.style.setProperty("--shape", String(size.width / size.height));
    this.element.classList.toggle("alone", source === null);
    if (source) paint(this.source, source, size);
    paint(
      this.result,
      source && this.mode === "error" ? difference(source, decoded, this.gain) : decoded,
      size,
    );
  }

  private redraw(): void {
    if (this.last) this.draw(this.last.source, this.last.decoded, this.last.size);
  }

  private point(event: PointerEvent): void {
    const box = this.element.getBoundingClientRect();
    this.setShare((event.clientX - box.left) / box.width);
  }

  private setShare(share: number): void {
    this.share = Math.max(0, Math.min(1, share));
    this.element.style.setProperty("--wipe", `${100 * this.share}%`);
    this.handle.setAttribute("aria-valuenow", String(Math.round(100 * this.share)));
  }
}

function paint(canvas: HTMLCanvasElement, pixels: Pixels, size: Size): void {
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  canvas
    .getContext("2d", { willReadFrequently: true })!
    .putImageData(new ImageData(pixels, size.width, size.height), 0, 0);
}

/** How far two frames are apart: black where they are equal, through red and yellow to white. */
function difference(a: Pixels, b: Pixels, gain: number): Pixels {
  const heat: Pixels = new Uint8ClampedArray(a.length).fill(255);
  for (let at = 0; at < a.length; at += 4) {
    const apart = Math.abs(a[at] - b[at]) + Math.abs(a[at + 1] - b[at + 1]) + Math.abs(a[at + 2] - b[at + 2]);
    const level = gain * apart;
    heat[at] = level;
    heat[at + 1] = level - 255;
    heat[at + 2] = level - 510;
  }
  return heat;
}

/** Peak signal to noise ratio of 8-bit frames, in dB. */
export function psnr(a: Pixels, b: Pixels): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 4) {
    const red = a[at] - b[at],
      green = a[at + 1] - b[at + 1],
      blue = a[at + 2] - b[at + 2];
    sum += red * red + green * green + blue * blue;
  }
  return 10 * Math.log10((255 * 255 * 0.75 * a.length) / sum);
}
