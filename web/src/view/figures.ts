// What is written beside the pictures: numbers, bits, distance, speed.

import type { Player, View } from "../player";
import type { PsnrChart } from "./chart";
import { element, setText } from "./elements";
import { psnr } from "./stage";

/** Say what the frame that is shown costs and is worth. */
export function showFigures(view: View, player: Player, chart: PsnrChart): void {
  const { clip, shown } = view;
  const { channels, coarseness } = player.settings;
  const { positions, bits, steps } = shown.rate;
  const [t, h, w] = clip.grouping.stride;
  const fps = frameRate(clip.times);
  const pixels = clip.size.height * clip.size.width;
  const numbers = (clip.tokens || channels) * positions;
  const stepsPerSecond = fps / t;
  const bitsPerStep = bits[channels] / steps;
  setText("numbers", `${round((3 * t * h * w) / (clip.tokens || channels))} : 1`);
  setText("numbers-sub", `${scaled(numbers * stepsPerSecond)}${clip.tokens ? " tokens" : ""} a second`);
  setText("bits", `${scaled(bitsPerStep * stepsPerSecond)}bit/s`);
  setText(
    "bits-sub",
    coarseness || !view.source
      ? `${(bitsPerStep / (t * pixels)).toFixed(3)} a pixel · ${round((24 * t * pixels) / bitsPerStep)}:1`
      : "as 32-bit numbers",
  );
  const distance = view.source ? psnr(view.source, view.decoded) : NaN;
  setText(
    "psnr",
    distance === Infinity ? "equal" : Number.isNaN(distance) ? "none" : `${distance.toFixed(1)} dB`,
  );
  if (view.source)
    chart.add(view.frame, clip.times.length, distance, `${player.clips},${channels},${coarseness}`);
  element("chart", HTMLElement).hidden = !view.source;
  setText("psnr-sub", view.source ? "of this frame" : "the file has no source");
  const time = (view.source ? player.encodeTime : 0) + player.decodeTime;
  setText("speed", `${Math.round(player.rate)} frames/s`);
  setText("speed-sub", `${round(time)} ms a frame`);
}

/** Frames a second, in the mean; 24 for a picture. */
export function frameRate(times: number[]): number {
  const span = times[times.length - 1] - times[0];
  return span > 0 ? (times.length - 1) / span : 24;
}

/** Three digits, and a prefix. */
function scaled(value: number): string {
  const [size, prefix] = value >= 1e6 ? [1e6, "M"] : value >= 1e3 ? [1e3, "k"] : [1, ""];
  return `${round(value / size)} ${prefix}`;
}

function round(value: number): string {
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1).replace(/\.0$/, "")
      : value.toFixed(1);
}
