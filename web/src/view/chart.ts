// PSNR over the clip: a line of the frames that were shown, and where the picture is.

import { element, setText } from "./elements";

const WIDTH = 300,
  HEIGHT = 90;

export class PsnrChart {
  private values: number[] = [];
  private key = "";
  private readonly line = path("chart-line");
  private readonly needle = path("chart-needle");

  /** `seek` is told the frame that is clicked. */
  constructor(seek: (frame: number) => void) {
    element("chart", HTMLElement).addEventListener("click", (event) => {
      const box = document.getElementById("chart-plot")!.getBoundingClientRect();
      if (this.values.length)
        seek(Math.round(((event.clientX - box.left) / box.width) * (this.values.length - 1)));
    });
  }

  /** Add a frame; what was shown of another clip, or with other settings (`key`), is forgotten. */
  add(frame: number, frames: number, decibels: number, key: string): void {
    if (key !== this.key) this.values = [];
    this.key = key;
    this.values.length = Math.max(frames, this.values.length);
    this.values[frame] = Math.min(decibels, 99);
    this.draw(frame);
  }

  private draw(frame: number): void {
    const known = this.values.filter((value) => Number.isFinite(value));
    const low = Math.floor(Math.min(...known) - 0.5),
      high = Math.ceil(Math.max(...known) + 0.5);
    const x = (i: number) => ((WIDTH * i) / Math.max(1, this.values.length - 1)).toFixed(1);
    const y = (value: number) => (HEIGHT - (HEIGHT * (value - low)) / (high - low)).toFixed(1);
    let text = "";
    for (let i = 0; i < this.values.length; i++) {
      if (!Number.isFinite(this.values[i])) continue;
      const begins = i === 0 || !Number.isFinite(this.values[i - 1]);
      // A frame without neighbours is a line too, of no length: its round ends show.
      text += `${begins ? "M" : "L"}${x(i)} ${y(this.values[i])}${begins ? "h0" : ""}`;
    }
    this.line.setAttribute("d", text);
    this.needle.setAttribute("d", `M${x(frame)} 0V${HEIGHT}`);
    setText("chart-high", `${high} dB`);
    setText("chart-low", `${low} dB`);
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    setText("chart-mean", known.length > 1 ? `mean ${mean.toFixed(1)} dB` : "");
  }
}

function path(id: string): SVGPathElement {
  return document.getElementById(id) as unknown as SVGPathElement;
}
