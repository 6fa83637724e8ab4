// The channels of a latent as small pictures; those that are left out are pale.

import type { Size } from "../codec/facts";
import { element } from "./elements";

/** Standard deviations at which a colour is full: most numbers lie within. */
const FULL = 2.5;

type Colour = [number, number, number];

export class LatentView {
  private readonly tiles = element("tiles", HTMLElement);
  private readonly canvases: HTMLCanvasElement[] = [];
  private readonly buttons: HTMLButtonElement[] = [];

  /** `choose` is told a number of channels when one of the pictures is clicked. */
  constructor(channels: number, choose: (channels: number) => void) {
    for (let channel = 0; channel < channels; channel++) {
      const canvas = document.createElement("canvas");
      const button = document.createElement("button");
      // The slider does the same for the keyboard, with one stop instead of 64.
      button.tabIndex = -1;
      button.type = "button";
      button.className = "tile";
      button.title = `keep ${channel + 1}`;
      button.setAttribute("aria-label", `Channel ${channel + 1}: keep the channels up to it`);
      button.append(canvas, String(channel + 1));
      button.addEventListener("click", () => choose(channel + 1));
      this.canvases.push(canvas);
      this.buttons.push(button);
    }
    this.tiles.replaceChildren(...this.buttons);
  }

  draw(latent: Float32Array, cells: Size, kept: number): void {
    const colours = diverging();
    const positions = cells.height * cells.width;
    this.canvases.forEach((canvas, channel) => {
      this.buttons[channel].hidden = (channel + 1) * positions > latent.length;
      if (this.buttons[channel].hidden) return;
      if (canvas.width !== cells.width || canvas.height !== cells.height) Object.assign(canvas, cells);
      const picture = new ImageData(cells.width, cells.height);
      for (let at = 0; at < positions; at++)
        picture.data.set(colours(latent[channel * positions + at]), 4 * at);
      canvas.getContext("2d", { willReadFrequently: true })!.putImageData(picture, 0, 0);
      this.buttons[channel].classList.toggle("left-out", channel >= kept);
    });
  }
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
