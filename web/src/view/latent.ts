// The channels of a latent, part by part, or the digits of tokens, as small pictures; those that are left out are pale.

import { firstFrame, isOrdered } from "../codec/facts";
import { type Layout, latentSteps, positionsOf } from "../codec/layout";
import type { Clip, View } from "../player";
import { element } from "./elements";

/** Standard deviations at which a colour is full: most numbers lie within. */
const FULL = 2.5;

type Colour = [number, number, number];

/** A part that is drawn. */
interface Drawn {
  layout: Layout;
  canvases: HTMLCanvasElement[];
  /** The number at which a colour is full. */
  full: number;
}

export class LatentView {
  private readonly tiles = element("tiles", HTMLElement);
  private parts: Drawn[] = [];
  private clip: Clip | null = null;

  /** `choose` is told a part and a number of channels when one of the pictures is clicked. */
  constructor(private readonly choose: (part: number, channels: number) => void) {}

  /** Draw the latent steps of a frame; `kept` are the channels of each part that are not left out. */
  draw({ clip, frame, shown }: View, kept: number[]): void {
    if (clip !== this.clip) this.begin(clip);
    const colours = diverging();
    const within = frame - firstFrame(clip.grouping, shown.step);
    this.parts.forEach((part, i) => {
      const { layout } = part;
      const numbers = shown.parts[i];
      // Of a file with fewer channels, the decoder gets all of them.
      const ofStep = numbers.length / latentSteps(layout, clip.grouping, shown.step);
      const step = Math.floor(within / layout.stride[0]);
      drawPart(part, numbers.subarray(step * ofStep, (step + 1) * ofStep), colours);
      part.canvases.forEach((canvas, channel) =>
        canvas.parentElement!.classList.toggle("left-out", channel >= kept[i]),
      );
    });
  }

  /** Make room for the channels, or digits, of a clip. */
  private begin(clip: Clip): void {
    this.clip = clip;
    const digits = clip.bases.flat();
    this.parts = clip.parts.map((layout) => ({
      layout,
      canvases: Array.from({ length: layout.channels }, () => document.createElement("canvas")),
      full: layout.exact ? 1 : FULL,
    }));
    this.tiles.replaceChildren(
      ...this.parts.map(({ layout, canvases }, part) => {
        const tiles = canvases.map((canvas, i) =>
          digits.length
            ? digitTile(canvas, i, digits[i])
            : isOrdered(layout)
              ? this.channelTile(canvas, part, i)
              : fixedTile(canvas, layout, i),
        );
        return partOf(layout, tiles, clip.parts.length > 1);
      }),
    );
  }

  private channelTile(canvas: HTMLCanvasElement, part: number, channel: number): HTMLElement {
    const button = document.createElement("button");
    // The slider does the same for the keyboard, with one stop instead of 64.
    button.tabIndex = -1;
    button.type = "button";
    button.className = "tile";
    button.title = `keep ${channel + 1}`;
    button.setAttribute("aria-label", `Channel ${channel + 1}: keep the channels up to it`);
    button.append(canvas, String(channel + 1));
    button.addEventListener("click", () => this.choose(part, channel + 1));
    return button;
  }
}

/** Draw the channels of one latent step. */
function drawPart(part: Drawn, numbers: Float32Array, colours: (share: number) => [...Colour, number]): void {
  const { layout, canvases } = part;
  const {
    rows: height,
    columns: width,
    stride: [, h, w],
  } = layout;
  const positions = positionsOf(layout);
  // Whole numbers, such as vectors, have no usual size: the largest that was seen is full.
  if (layout.exact) part.full = numbers.reduce((most, value) => Math.max(most, Math.abs(value)), part.full);
  canvases.forEach((canvas, channel) => {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { height, width });
    // Positions need not be square.
    canvas.style.aspectRatio = `${(w * width) / (h * height)}`;
    const picture = new ImageData(width, height);
    for (let at = 0; at < positions; at++)
      picture.data.set(colours((numbers[channel * positions + at] ?? 0) / part.full), 4 * at);
    canvas.getContext("2d", { willReadFrequently: true })!.putImageData(picture, 0, 0);
  });
}

/** The pictures of a part; of one of several with its name. */
function partOf({ name, channels, stride }: Layout, tiles: HTMLElement[], named: boolean): HTMLElement {
  const part = document.createElement("div");
  const pictures = document.createElement("div");
  pictures.className = channels <= 8 ? "tiles few" : "tiles";
  pictures.append(...tiles);
  if (named) {
    const title = document.createElement("h3");
    const sizes = document.createElement("span");
    title.textContent = name;
    sizes.textContent = `a position for ${stride.join(" × ")} frames, rows and columns`;
    title.append(sizes);
    part.append(title);
  }
  part.append(pictures);
  return part;
}

/** A channel that is always kept. */
function fixedTile(canvas: HTMLCanvasElement, { name }: Layout, channel: number): HTMLElement {
  return pictureTile(canvas, `${name}, channel ${channel + 1}`, String(channel + 1));
}

function digitTile(canvas: HTMLCanvasElement, digit: number, base: number): HTMLElement {
  const name = `Digit ${digit + 1} of each position, 0 to ${base - 1}`;
  return pictureTile(canvas, name, `digit ${digit + 1}, 0 to ${base - 1}`);
}

function pictureTile(canvas: HTMLCanvasElement, name: string, text: string): HTMLElement {
  const figure = document.createElement("div");
  figure.className = "tile";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  figure.append(canvas, text);
  return figure;
}

/** Blue below zero, orange above, the ground between: hues that the colour-blind tell apart. Full at -1 and 1. */
function diverging(): (share: number) => [...Colour, number] {
  const dark =
    getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (document.documentElement.dataset.theme === undefined &&
      matchMedia("(prefers-color-scheme: dark)").matches);
  const zero: Colour = dark ? [32, 35, 40] : [247, 246, 242];
  const low: Colour = dark ? [74, 168, 232] : [0, 114, 178];
  const high: Colour = dark ? [245, 138, 60] : [213, 94, 0];
  return (value) => {
    const share = Math.min(1, Math.abs(value));
    const end = value < 0 ? low : high;
    return [...(zero.map((from, i) => from + share * (end[i] - from)) as Colour), 255];
  };
}
