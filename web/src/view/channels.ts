// How many channels of each part are kept: a slider, with marks, for one part at a time.

import { type Part, isOrdered } from "../codec/facts";
import { element, setText } from "./elements";

/** Numbers of channels that have a mark at the slider. */
const MARKS = [1, 4, 8, 16, 32, 48, 64];

/** Channels of an only part with which the page begins. */
const USUAL = 16;

export class ChannelSlider {
  /** Leading channels of each part. */
  kept: number[] = [];
  onchange: () => void = () => {};

  private readonly slider = element("channels", HTMLInputElement);
  private readonly choice = element("part", HTMLSelectElement);
  private parts: Part[] = [];
  /** What was asked for, part by part; a clip may have fewer. */
  private readonly wanted: number[] = [];
  /** Channels that there are marks for. */
  private marked = 0;
  /** The part that the slider is about. */
  private chosen = 0;

  constructor() {
    this.slider.addEventListener("input", () => this.set(Number(this.slider.value)));
    this.choice.addEventListener("change", () => this.choose(Number(this.choice.value)));
  }

  /** Offer the parts of a clip; `whole` for one that is shown with all that it has, and for tokens. */
  offer(parts: Part[], tokens: boolean, whole = tokens): void {
    const ordered = [...parts.keys()].filter((i) => isOrdered(parts[i]));
    const usual = ordered.length === 1 ? USUAL : Infinity;
    this.parts = parts;
    this.kept = parts.map((part, i) =>
      whole || !isOrdered(part) ? part.channels : Math.min(this.wanted[i] ?? usual, part.channels),
    );
    this.choice.replaceChildren(...ordered.map((i) => new Option(parts[i].name, String(i))));
    element("part-choice", HTMLElement).hidden = tokens || ordered.length < 2;
    this.slider.disabled = tokens || ordered.length === 0;
    setText("kept-note", noteOf(parts));
    this.choose(ordered.includes(this.chosen) ? this.chosen : (ordered[0] ?? 0));
  }

  /** Keep so many channels of a part; of the one that is chosen by default. */
  set(channels: number, part = this.chosen): void {
    if (this.slider.disabled) return;
    this.wanted[part] = channels;
    this.kept = this.kept.map((before, i) => (i === part ? channels : before));
    this.choose(part);
    this.onchange();
  }

  /** More channels, or fewer. */
  move(way: number): void {
    this.set(Math.max(1, Math.min(Number(this.slider.max), this.kept[this.chosen] + way)));
  }

  private choose(part: number): void {
    const { name, channels } = this.parts[part];
    this.chosen = part;
    this.choice.value = String(part);
    this.slider.max = String(channels);
    if (this.marked !== channels) this.addMarks(channels);
    const kept = String(this.kept[part]);
    this.slider.value = kept;
    setText("kept", kept);
    const of = this.parts.length > 1 ? ` of ${name}` : "";
    this.slider.setAttribute("aria-valuetext", `${kept} of ${channels} channels${of}`);
  }

  private addMarks(channels: number): void {
    const marks = MARKS.filter((mark) => mark <= channels).map((mark) => {
      const button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.textContent = String(mark);
      button.style.left = `${(100 * (mark - 1)) / Math.max(1, channels - 1)}%`;
      button.addEventListener("click", () => this.set(mark));
      return button;
    });
    element("marks", HTMLElement).replaceChildren(...marks);
    this.marked = channels;
  }
}

/** What can be left out, and what cannot. */
function noteOf(parts: Part[]): string {
  const names = parts.filter((part) => !isOrdered(part)).map(({ name }) => name);
  const always = names.length ? ` All of ${names.join(" and ")} is always kept.` : "";
  return `Channels are ordered: the first ones are a latent of their own.${always}`;
}
