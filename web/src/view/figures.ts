// What is written beside the pictures: numbers, bits, distance, speed.

import { positionsOf } from "../codec/layout";
import { codebookSize, nominalBits } from "../codec/tokens";
import type { Player, View } from "../player";
import type { PsnrChart } from "./chart";
import { element, setFacts, setText } from "./elements";
import { psnr } from "./stage";

/** Say what the frame that is shown costs and is worth. */
export function showFigures(view: View, player: Player, chart: PsnrChart): void {
  const { channels, coarseness } = player.settings;
  showRate(view, channels, view.source === null || view.clip.bases.length > 0 || coarseness > 0);
  showQuality(view, player, chart);
}

/** How many numbers, or tokens, and bits a second takes; `coded` are bits of a file. */
function showRate({ clip, shown }: View, channels: number[], coded: boolean): void {
  const { bases, parts } = clip;
  const [t, h, w] = clip.grouping.stride;
  const stepsPerSecond = frameRate(clip.times) / t;
  const bitsPerStep = sum(shown.rate.parts, (bits, i) => bits[bases.length ? bits.length - 1 : channels[i]]) / shown.rate.steps;
  const pixels = t * clip.size.height * clip.size.width;
  const perCell = sum(parts, ({ stride }, i) => {
    const [steps, down, right] = clip.grouping.stride.map((side, axis) => side / stride[axis]);
    return steps * down * right * (bases.length || channels[i]);
  });
  const perStep = sum(parts, (part, i) => part.steps * positionsOf(part) * (bases.length || channels[i]));
  const share = `${round((3 * t * h * w) / perCell)} : 1`;
  const perSecond = scaled(perStep * stepsPerSecond);
  setText("numbers-name", bases.length ? "tokens" : "numbers");
  setText("numbers", bases.length ? `${perSecond}/s` : share);
  setFacts(
    "numbers-sub",
    bases.length ? [`${share} in numbers`, `${codebooks(bases)} values`] : [`${perSecond} a second`],
  );
  setText("bits", `${scaled(bitsPerStep * stepsPerSecond)}bit/s`);
  const ofFile = [
    `${(bitsPerStep / pixels).toFixed(3)} a pixel`,
    `${round((24 * pixels) / bitsPerStep)}:1`,
    ...(bases.length
      ? [`${round(bitsPerStep / positionsOf(parts[0]))} of ${round(nominalBits(bases))} a position`]
      : []),
  ];
  setFacts("bits-sub", coded ? ofFile : ["as 32-bit numbers"]);
}

/** How near the frame is to its source, and how fast it came. */
function showQuality(view: View, player: Player, chart: PsnrChart): void {
  const { clip } = view;
  const { channels, coarseness } = player.settings;
  const distance = view.source ? psnr(view.source, view.decoded) : NaN;
  setText(
    "psnr",
    distance === Infinity ? "equal" : Number.isNaN(distance) ? "none" : `${distance.toFixed(1)} dB`,
  );
  if (view.source)
    chart.add(view.frame, clip.times.length, distance, `${player.clips},${channels.join()},${coarseness}`);
  element("chart", HTMLElement).hidden = !view.source;
  setText("psnr-sub", view.source ? "of this frame" : "the file has no source");
  const time = (view.source ? player.encodeTime : 0) + player.decodeTime;
  const rate = Math.round(player.rate);
  setText("speed", `${rate} ${rate === 1 ? "frame" : "frames"}/s`);
  setText("speed-sub", `${round(time)} ms a frame`);
}

function sum<T>(all: T[], of: (one: T, i: number) => number): number {
  return all.reduce((total, one, i) => total + of(one, i), 0);
}

/** How many values the tokens of a position have. */
function codebooks(bases: number[][]): string {
  return bases.map((token) => codebookSize(token).toLocaleString("en")).join(" and ");
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
