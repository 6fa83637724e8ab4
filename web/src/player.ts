// The clip that is open: what was read, encoded and decoded of it, and which frame is shown.

import type { Settings, Shown } from "./codec/clip";
import type { Engine } from "./codec/engine";
import { type Facts, type Grouping, type Size, firstFrame, framesIn, stepOf } from "./codec/facts";
import { type Layout, layoutsOf } from "./codec/layout";
import type { Pixels } from "./codec/pixels";
import type { Source } from "./media/source";

/** Bytes of frames that are kept, so that they can be shown again. */
const ROOM = 320e6;

/** A clip of frames, as far as it is read. */
export interface Clip {
  name: string;
  size: Size;
  original: Size;
  live: boolean;
  /** The parts of its latent, with the channels that it has. */
  parts: Layout[];
  /** Of tokens: for each one of a position, how many values its digits have; none of a latent. */
  bases: number[][];
  /** Whether it is decoded; tokens of other tokenizers are colours alone. */
  decoded: boolean;
  grouping: Grouping;
  /** Frames of the source; none where a file holds the latent alone. */
  frames: Pixels[];
  /** Seconds since the clip began, of each frame. */
  times: number[];
  /** Steps that are encoded. */
  steps: number;
  /** Whether all was read; of more than fits, what fits. */
  ended: boolean;
  cut: boolean;
}

/** A frame beside its source. */
export interface View {
  clip: Clip;
  frame: number;
  /** None where there is none. */
  source: Pixels | null;
  decoded: Pixels;
  shown: Shown;
}

export class Player extends EventTarget {
  clip: Clip | null = null;
  /** How many clips were opened. */
  clips = 0;
  playing = true;
  settings: Settings = { channels: [], coarseness: 1 };
  /** Milliseconds that a frame of a full step takes to encode, and to decode; smoothed. */
  encodeTime = 0;
  decodeTime = 0;
  /** Frames that were shown in the last second. */
  rate = 0;

  private source: Source | null = null;
  private frame = -1;
  /** A frame that is to be shown as soon as it is decoded. */
  private wanted: number | null = null;
  private readonly ready = new Map<number, Shown>();
  private asked = false;
  private version = 0;
  private due = 0;
  private shownAt: number[] = [];

  constructor(
    private readonly engine: Engine,
    private readonly facts: Facts,
    private readonly onview: (view: View) => void,
  ) {
    super();
    const tick = () => {
      this.tick();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Show another source from its beginning. */
  async open(source: Source): Promise<void> {
    this.close();
    this.source = source;
    this.playing = true;
    await this.begin(source);
    this.fill(source).catch((error: unknown) => {
      if (this.source !== source) return;
      // What was read before is a clip too.
      this.clip!.ended = true;
      this.changed();
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
    });
  }

  /** Show the latent of a .tube file. */
  async openTube(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | null> {
    const { incomplete, ...opened } = await this.engine.ask("openTube", { bytes });
    this.close();
    this.playing = true;
    this.start({ name, ...opened, original: opened.size, live: false, frames: [], ended: true, cut: false });
    this.changed();
    return incomplete;
  }

  /** The clip as a .tube file, with the channels and the step that are chosen. */
  save(): Promise<Uint8Array<ArrayBuffer>> {
    const { name, size, times } = this.clip!;
    return this.engine.ask("save", { name, size, times, ...this.settings });
  }

  /** Why nothing can be saved now; null for a whole clip, of symbols or tokens. */
  get unsavable(): string | null {
    const { clip } = this;
    if (!clip) return "Nothing is open yet";
    if (clip.ended && !clip.frames.length) return "This is a .tube file already";
    if (clip.live && !clip.ended) return "Stop the camera first";
    if (!clip.ended || clip.frames.length > firstFrame(this.facts, clip.steps))
      return "The clip is still being encoded";
    if (!clip.bases.length && this.settings.coarseness === 0)
      return "A file holds rounded numbers: choose a quantiser step";
    return null;
  }

  /** Whether a frame is asked for that is not shown yet. */
  get busy(): boolean {
    return this.wanted !== null;
  }

  /** Let go of the source; what was read of it stays. */
  close(): void {
    this.source?.close();
    this.source = null;
    if (this.clip) this.clip.ended = true;
  }

  toggle(): void {
    this.playing = !this.playing;
    this.due = performance.now();
    this.changed();
  }

  /** Show a frame, and stop there. */
  seek(frame: number): void {
    if (!this.clip || (this.clip.live && !this.clip.ended)) return;
    this.playing = false;
    this.wanted = Math.max(0, Math.min(frame, this.readable - 1));
    this.changed();
  }

  /** A frame further, or back. */
  move(frames: number): void {
    this.seek((this.wanted ?? this.frame) + frames);
  }

  set(settings: Settings): void {
    this.settings = settings;
    this.version++;
    this.ready.clear();
    if (this.frame >= 0) this.wanted ??= this.frame;
    this.changed();
  }

  /** Frames of steps that are encoded. */
  private get readable(): number {
    const { clip } = this;
    return clip ? Math.min(clip.times.length, firstFrame(clip.grouping, clip.steps)) : 0;
  }

  private changed(): void {
    this.dispatchEvent(new Event("change"));
  }

  private async begin(source: Source): Promise<void> {
    const { name, size, original, live } = source;
    const { facts } = this;
    this.start({
      name,
      size,
      original,
      live,
      parts: layoutsOf(facts, size),
      bases: facts.bases,
      decoded: true,
      grouping: facts,
      frames: [],
      times: [],
      steps: 0,
      ended: false,
      cut: false,
    });
    await this.engine.ask("begin", size);
  }

  private start(clip: Clip): void {
    this.clip = clip;
    this.clips++;
    this.version++;
    this.ready.clear();
    this.frame = -1;
    this.wanted = 0;
  }

  /** Read and encode, step by step. */
  private async fill(source: Source): Promise<void> {
    const room = Math.max(1, Math.floor(ROOM / (4 * source.size.height * source.size.width)));
    let group: Pixels[] = [];
    for await (const { pixels, time } of source.frames()) {
      if (this.source !== source) return;
      if (this.clip!.frames.length >= room) {
        if (!source.live) {
          this.clip!.cut = true;
          break;
        }
        await this.begin(source);
        group = [];
      }
      this.clip!.frames.push(pixels);
      this.clip!.times.push(time);
      group.push(pixels);
      if (group.length < framesIn(this.facts, this.clip!.steps)) continue;
      await this.encode(group);
      if (source.live) await this.caughtUp();
      group = [];
    }
    if (this.source !== source) return;
    if (group.length) await this.encode(group);
    this.clip!.ended = true;
    this.changed();
  }

  private async encode(group: Pixels[]): Promise<void> {
    const { clip } = this;
    await this.engine.ask("push", { frames: group });
    this.encodeTime = smoothed(this.encodeTime, this.engine.times.push! / this.facts.stride[0]);
    if (clip !== this.clip) return;
    clip!.steps++;
    this.changed();
  }

  /** Until the last frame that is encoded is shown: a camera must not run away from its picture. */
  private async caughtUp(): Promise<void> {
    const { clip } = this;
    while (this.playing && clip === this.clip && this.frame < this.readable - 1) {
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }

  private tick(): void {
    const { clip } = this;
    if (!clip || this.readable === 0) return;
    if (this.wanted === null && this.playing && performance.now() >= this.due) this.wanted = this.next(clip);
    const step = stepOf(clip.grouping, this.wanted ?? this.frame);
    if (this.wanted !== null && this.ready.has(step)) this.show(clip, this.wanted, this.ready.get(step)!);
    // The step that is wanted, then, while playing, the one that follows it.
    const next =
      this.wanted !== null && !this.ready.has(step) ? step : this.playing ? this.stepAfter(clip, step) : null;
    if (next !== null && !this.ready.has(next) && !this.asked) void this.decode(next);
  }

  /** The frame to show when it is time; none, if it is not encoded yet. */
  private next(clip: Clip): number | null {
    if (this.frame + 1 < this.readable) return this.frame + 1;
    return clip.ended && this.readable > 1 ? 0 : null;
  }

  private stepAfter(clip: Clip, step: number): number | null {
    if (step + 1 < clip.steps) return step + 1;
    return clip.ended && clip.steps > 1 ? 0 : null;
  }

  private show(clip: Clip, frame: number, shown: Shown): void {
    this.wanted = null;
    const now = performance.now();
    const span = frame > this.frame && this.frame >= 0 ? clip.times[frame] - clip.times[this.frame] : 1 / 24;
    this.due = Math.max(this.due + 1000 * Math.min(span, 1), now - 50);
    if (clip.live && !clip.ended) this.due = now;
    this.frame = frame;
    for (const step of this.ready.keys()) {
      if (step !== shown.step && step !== this.stepAfter(clip, shown.step)) this.ready.delete(step);
    }
    this.shownAt = [...this.shownAt.filter((at) => at > now - 1000), now];
    this.rate = this.shownAt.length;
    const decoded = shown.frames[frame - firstFrame(clip.grouping, shown.step)];
    this.onview({ clip, frame, source: clip.frames[frame] ?? null, decoded, shown });
  }

  private async decode(step: number): Promise<void> {
    const { version, clip } = this;
    this.asked = true;
    try {
      const shown = await this.engine.ask("show", { step, settings: this.settings });
      if (version !== this.version || clip !== this.clip) return;
      this.ready.set(step, shown);
      this.decodeTime = smoothed(this.decodeTime, this.engine.times.show! / this.facts.stride[0]);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
      this.playing = false;
    } finally {
      this.asked = false;
    }
  }
}

function smoothed(before: number, now: number): number {
  return before ? 0.8 * before + 0.2 * now : now;
}
