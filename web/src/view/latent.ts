// The channels of a latent, or the digits of tokens, as small pictures; those that are left out are pale.

import type { Clip } from "../player";
import { element } from "./elements";

/** Standard deviations at which a colour is full: most numbers lie within. */
const FULL = 2.5;

type Colour = [number, number, number];

export class LatentView {
  private readonly tiles = element("tiles", HTMLElement);
  private canvases: HTMLCanvasElement[] = [];
  private clip: Clip | null = null;

  /** `choose` is told a number of channels when one of the pictures is clicked. */
  constructor(private readonly choose: (channels: number) => void) {}

  draw(clip: Clip, latent: Float32Array, kept: number): void {
    if (clip !== this.clip) this.begin(clip);
    const { cells } = clip;
    const colours = diverging();
    const positions = cells.height * cells.width;
    this.canvases.forEach((canvas, channel) => {
      if (canvas.width !== cells.width || canvas.height !== cells.height) Object.assign(canvas, cells);
      const picture = new ImageData(cells.width, cells.height);
      for (let at = 0; at < positions; at++)
        picture.data.set(colours(latent[channel * positions + at] ?? 0), 4 * at);
      canvas.getContext("2d", { willReadFrequently: true })!.putImageData(picture, 0, 0);
      const tile = canvas.parentElement!;
      tile.hidden = (channel + 1) * positions > latent.length;
      tile.classList.toggle("left-out", channel >= kept);
    });
  }

  /** Make room for the channels, or digits, of a clip. */
  private begin(clip: Clip): void {
    const { channels, bases } = clip;
    this.clip = clip;
    this.canvases = Array.from({ length: channels }, () => document.createElement("canvas"));
    const flat = bases.flat();
    this.tiles.replaceChildren(
      ...this.canvases.map((canvas, i) =>
        flat.length ? digitTile(canvas, i, flat[i]) : this.channelTile(canvas, i),
      ),
    );
    this.tiles.classList.toggle("few", channels <= 8);
  }

  private channelTile(canvas: HTMLCanvasElement, channel: number): HTMLElement {
    const button = document.createElement("button");
    // The slider does the same for the keyboard, with one stop instead of 64.
    button.tabIndex = -1;
    button.type = "button";
    button.className = "tile";
    button.title = `keep ${channel + 1}`;
    button.setAttribute("aria-label", `Channel ${channel + 1}: keep the channels up to it`);
    button.append(canvas, String(channel + 1));
    button.addEventListener("click", () => this.choose(channel + 1));
    return button;
  }
}

function digitTile(canvas: HTMLCanvasElement, digit: number, base: number): HTMLElement {
  const figure = document.createElement("div");
  figure.className = "tile";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Digit ${digit + 1} of each position, 0 to ${base - 1}`);
  figure.append(canvas, `digit ${digit + 1}, 0 to ${base - 1}`);
  return figure;
}

/** Blue below zero, orange above, the ground between: hues that the colour-blind tell apart. */
function diverging(): (value: number) => [...Colour, number] {
  const dark =
    getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (document.documentElement.dataset.theme === undefined &&
      matchMedia("(prefers-color-scheme: dark)").matches);
  const zero: Colour = dark ? [32, 35, 40] : [247, 246, 242];
  const low: Colour = dark ? [74, 168, 232] : [0, 114, 178];
  const high: Colour = dark ? [245, 138, 60] : [213, 94, 0];
  return (value) => {
    const share = Math.min(1, Math.abs(value) / FULL);
    const end = value < 0 ? low : high;
    return [...(zero.map((from, i) => from + share * (end[i] - from)) as Colour), 255];
  };
}
