// Buttons, sliders, keys, and files that are dropped.

import { type Facts, partsOf } from "../codec/facts";
import type { Clip, Player, View } from "../player";
import { ChannelSlider } from "./channels";
import { element, setText } from "./elements";
import { frameRate } from "./figures";
import type { Mode, Stage } from "./stage";

const PLAY =
  '<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M4 2.5v11l9-5.5z"/></svg>';
const PAUSE =
  '<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="M3.5 2.5h3v11h-3zm6 0h3v11h-3z"/></svg>';

const OF_CHANNELS = "Blue is below zero, orange above. Click a channel to keep those up to it.";
const OF_DIGITS = "A token is one number that its digits write: blue is low, orange high.";

export class Controls {
  onopen: (file: File) => void = () => {};
  oncamera: () => void = () => {};
  onsave: () => void = () => {};
  onbuiltin: () => void = () => {};

  private readonly channels = new ChannelSlider();
  private readonly step = element("step", HTMLSelectElement);
  private readonly mode = element("mode", HTMLSelectElement);
  private readonly frame = element("frame", HTMLInputElement);
  private readonly play = element("play", HTMLButtonElement);
  private readonly file = element("file", HTMLInputElement);
  private readonly save = element("save", HTMLButtonElement);
  private last: "builtin" | "camera" | File = "builtin";

  constructor(
    private readonly player: Player,
    private readonly stage: Stage,
    facts: Facts,
  ) {
    if (facts.bases.length) sayTokens();
    this.channels.offer(partsOf(facts), facts.bases.length > 0);
    this.channels.onchange = () => this.settingsChanged();
    this.step.addEventListener("change", () => this.settingsChanged());
    this.mode.addEventListener("change", () => this.setMode(this.mode.value as Mode));
    const gain = element("gain", HTMLSelectElement);
    gain.addEventListener("change", () => stage.setGain(Number(gain.value)));
    this.play.addEventListener("click", () => player.toggle());
    this.frame.addEventListener("input", () => player.seek(Number(this.frame.value)));
    player.addEventListener("change", () => this.showState());
    this.addSources();
    this.addKeys();
    element("theme", HTMLButtonElement).addEventListener("click", switchTheme);
    element("help", HTMLButtonElement).addEventListener("click", () =>
      element("keys", HTMLDialogElement).showModal(),
    );
    this.settingsChanged();
    this.showState();
  }

  /** The longest side of what is encoded, in pixels. */
  get side(): number {
    return Number(element("side", HTMLSelectElement).value);
  }

  /** Keep so many channels of a part. */
  setChannels(part: number, kept: number): void {
    this.channels.set(kept, part);
  }

  /** Say which clip is open. */
  showClip(facts: Facts): void {
    const { clip } = this.player;
    if (!clip) return;
    const fromFile = clip.frames.length === 0 && clip.ended;
    const tokens = clip.bases.length > 0;
    setText("source-name", fromFile ? noSource(clip) : clip.name);
    setText("result-name", fromFile ? resultOf(clip, facts) : `decoded by ${facts.name}`);
    // Who opens a file wants to see what is in it.
    this.channels.offer(clip.parts, tokens, tokens || fromFile);
    for (const choice of document.querySelectorAll<HTMLElement>(".of-latents")) choice.hidden = tokens;
    // Digits are whole numbers already.
    this.step.disabled = fromFile || tokens;
    setText("latent-title", tokens ? "The digits" : "The latent");
    setText("latent-note", tokens ? OF_DIGITS : OF_CHANNELS);
    this.mode.disabled = fromFile;
    this.settingsChanged();
    setText("frame-number", "0 / 0");
    this.showState();
  }

  /** Say which frame is shown. */
  showFrame({ clip, frame }: View): void {
    this.stage.element.setAttribute("aria-busy", "false");
    this.frame.value = String(frame);
    this.frame.setAttribute("aria-valuetext", `frame ${frame + 1} of ${clip.times.length}`);
    setText("frame-number", `${frame + 1} / ${clip.times.length}`);
    const { width, height } = clip.size;
    const from =
      clip.original.width === width ? "" : ` from ${clip.original.width} × ${clip.original.height}`;
    const cut = clip.cut ? `, the first ${clip.frames.length} frames` : "";
    setText("clip-facts", `${width} × ${height}${from}, ${frameRate(clip.times).toFixed(0)} frames/s${cut}`);
  }

  private settingsChanged(): void {
    const coarseness = this.step.disabled ? 0 : Number(this.step.value);
    this.player.set({ channels: this.channels.kept, coarseness });
  }

  private setMode(mode: Mode): void {
    this.mode.value = mode;
    this.stage.setMode(mode);
    element("gain-choice", HTMLElement).hidden = mode !== "error";
  }

  private showState(): void {
    const { clip, playing } = this.player;
    this.play.innerHTML = playing ? PAUSE : PLAY;
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    const live = clip !== null && clip.live && !clip.ended;
    this.frame.max = String(Math.max(0, (clip?.times.length ?? 1) - 1));
    this.frame.disabled = live;
    element("camera", HTMLButtonElement).setAttribute("aria-pressed", String(live));
    setText("camera", live ? "Stop the camera" : "Camera");
    const reason = this.player.unsavable;
    this.save.disabled = reason !== null;
    this.save.title = reason ?? "Save what is shown as a file that tubelet decode takes";
    this.stage.element.setAttribute("aria-busy", String(this.player.busy));
  }

  private addSources(): void {
    element("open", HTMLButtonElement).addEventListener("click", () => this.file.click());
    element("built-in", HTMLButtonElement).addEventListener("click", () => this.open("builtin"));
    element("camera", HTMLButtonElement).addEventListener("click", () => {
      const { clip } = this.player;
      if (clip?.live && !clip.ended) {
        this.player.close();
        this.showState();
      } else this.open("camera");
    });
    this.save.addEventListener("click", () => this.onsave());
    element("side", HTMLSelectElement).addEventListener("change", () => this.open(this.last));
    this.file.addEventListener("change", () => {
      if (this.file.files?.[0]) this.open(this.file.files[0]);
      this.file.value = "";
    });
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) this.open(file);
    });
  }

  private open(what: "builtin" | "camera" | File): void {
    this.last = what;
    if (what === "builtin") this.onbuiltin();
    else if (what === "camera") this.oncamera();
    else this.onopen(what);
  }

  private addKeys(): void {
    const toggleMode = (mode: Mode) => this.setMode(this.stage.mode === mode ? "wipe" : mode);
    const keys: Record<string, (event: KeyboardEvent) => void> = {
      " ": () => this.player.toggle(),
      ArrowLeft: ({ shiftKey }) => this.player.move(shiftKey ? -10 : -1),
      ArrowRight: ({ shiftKey }) => this.player.move(shiftKey ? 10 : 1),
      "-": () => this.channels.move(-1),
      "+": () => this.channels.move(1),
      "=": () => this.channels.move(1),
      "[": () => this.stage.moveWipe(-0.02),
      "]": () => this.stage.moveWipe(0.02),
      h: () => toggleMode("error"),
      s: () => toggleMode("pair"),
      o: () => this.file.click(),
      "?": () => element("keys", HTMLDialogElement).showModal(),
    };
    document.addEventListener("keydown", (event) => {
      const own =
        event.target instanceof Element && event.target.closest("input, select, button, dialog, a, #map");
      // Sliders keep their arrows, buttons their space.
      const taken = own && (event.key === " " || event.key.startsWith("Arrow") || own.matches("dialog"));
      if (taken || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key](event);
    });
  }
}

/** What stands in place of the source of a file. */
function noSource({ bases, decoded }: Clip): string {
  if (!decoded) return "tokens are not decoded here";
  return `no source: the file holds ${bases.length ? "tokens" : "the latent"} alone`;
}

function resultOf({ name, decoded }: Clip, facts: Facts): string {
  return decoded ? `${name}, decoded by ${facts.name}` : `${name}: a colour for each token`;
}

/** The page of a discrete tokenizer says tokens. */
function sayTokens(): void {
  setText("headline", "Watch a video become tokens, and come back");
}

function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}
