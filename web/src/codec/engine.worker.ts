// The worker: one call at a time, in the order in which they come.

import { type Tube, readTube } from "../tube";
import { ClipCodec } from "./clip";
import { checkTokenizer, stepsOfTube } from "./from_tube";
import type { Answer, Call, Calls, Name } from "./messages";
import { StepModel } from "./model";
import { bestKind } from "./runtime";
import { tubeOf } from "./to_tube";
import { TokenClip } from "./token_clip";

let model: StepModel;
let clip: ClipCodec | TokenClip;

const functions: { [N in Name]: (given: Calls[N]["given"]) => Promise<Calls[N]["answer"]> } = {
  async load({ base, runtime }) {
    const kind = runtime === "webgpu" || runtime === "wasm" ? runtime : await bestKind();
    model = await loaded(base, kind);
    const { threads } = model.runtime;
    const computes = threads === 1 ? "one thread" : `${threads} threads`;
    return { facts: model.facts, runtime: model.runtime.kind === "webgpu" ? "WebGPU" : computes };
  },
  async begin(size) {
    clip = new ClipCodec(model, size);
    return undefined;
  },
  async push({ frames }) {
    await encodable(clip).push(frames);
    return undefined;
  },
  async openTube({ bytes }) {
    const tube = readTube(bytes);
    const opened = tube.header.content === "tokens" ? new TokenClip(tube) : latentClip(tube);
    clip = opened;
    const {
      parts: [{ channels, bases }],
      timeBase,
    } = tube.header;
    const ticks = tube.chunks.flatMap((chunk) => chunk.timestamps);
    const times = ticks.map((tick) => (Number(tick - ticks[0]) * timeBase[0]) / timeBase[1]);
    const { size, cells, grouping, length } = opened;
    return {
      size,
      cells,
      grouping,
      channels,
      tokens: bases.length,
      steps: length,
      times,
      incomplete: tube.incomplete,
    };
  },
  async save(saved) {
    return tubeOf(encodable(clip), model.facts, saved);
  },
  async show({ step, settings }) {
    const shown = await clip.show(step, settings);
    // What is kept here is not given away.
    return { ...shown, latent: shown.latent.slice() };
  },
};

function encodable(clip: ClipCodec | TokenClip): ClipCodec {
  if (clip instanceof ClipCodec) return clip;
  throw new Error("tokens are shown, and not encoded again");
}

function latentClip(tube: Tube): ClipCodec {
  checkTokenizer(tube.header, model.facts);
  const { height, width } = tube.header;
  const opened = new ClipCodec(model, { height, width });
  stepsOfTube(tube, model.facts).forEach((step) => opened.pushLatent(step));
  return opened;
}

/** A tokenizer that has computed a step; on the processor, where the graphics card cannot. */
async function loaded(base: string, kind: "webgpu" | "wasm"): Promise<StepModel> {
  const made = StepModel.load(base, kind).then(async (loaded) => {
    const [, height, width] = loaded.facts.stride;
    const trial = new ClipCodec(loaded, { height, width });
    await trial.push([new Uint8ClampedArray(4 * height * width)]);
    await trial.show(0, { channels: 1, coarseness: 0 });
    return loaded;
  });
  return kind === "wasm" ? made : made.catch(() => StepModel.load(base, "wasm"));
}

async function answer({ id, name, given }: Call): Promise<Answer> {
  const begin = performance.now();
  const time = () => performance.now() - begin;
  try {
    const answer = await (functions[name] as (given: unknown) => Promise<Answer["answer"]>)(given);
    return { id, answer, time: time() };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error), time: time() };
  }
}

let last: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Call>) => {
  last = last.then(async () => {
    const reply = await answer(data);
    const shown = data.name === "show" ? (reply.answer as Calls["show"]["answer"] | undefined) : undefined;
    const given = shown ? [shown.latent.buffer, ...shown.frames.map((frame) => frame.buffer)] : [];
    self.postMessage(reply, { transfer: given });
  });
};
