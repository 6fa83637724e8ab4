// The worker: one call at a time, in the order in which they come.

import { type Tube, readTube } from "../tube";
import type { Clip, EncodedClip } from "./clip";
import { checkTokenizer, stepsOfTube, tokenStepsOf } from "./from_tube";
import { LatentClip } from "./latent_clip";
import { type Size, groupingOf } from "./facts";
import type { Answer, Call, Calls, Name } from "./messages";
import { StepModel } from "./model";
import { bestKind } from "./runtime";
import { tubeOf } from "./to_tube";
import { TokenClip } from "./token_clip";
import { TokenPictures } from "./token_pictures";

let model: StepModel;
let clip: Clip;
/** The same, if frames can be added to it. */
let encoded: EncodedClip;

const functions: { [N in Name]: (given: Calls[N]["given"]) => Promise<Calls[N]["answer"]> } = {
  async load({ base, runtime }) {
    const kind = runtime === "webgpu" || runtime === "wasm" ? runtime : await bestKind();
    model = await loaded(base, kind);
    const { threads } = model.runtime;
    const computes = threads === 1 ? "one thread" : `${threads} threads`;
    return { facts: model.facts, runtime: model.runtime.kind === "webgpu" ? "WebGPU" : computes };
  },
  async begin(size) {
    clip = encoded = emptyClip(model, size);
    return undefined;
  },
  async push({ frames }) {
    await encoded.push(frames);
    return undefined;
  },
  async openTube({ bytes }) {
    const tube = readTube(bytes);
    const opened = tube.header.content === "tokens" ? tokensOf(tube) : latentOf(tube);
    clip = opened;
    const {
      parts: [{ channels, bases }],
      timeBase,
    } = tube.header;
    const ticks = tube.chunks.flatMap((chunk) => chunk.timestamps);
    const times = ticks.map((tick) => (Number(tick - ticks[0]) * timeBase[0]) / timeBase[1]);
    const { cells, grouping, length } = opened;
    const size = { height: tube.header.height, width: tube.header.width };
    return {
      size,
      cells,
      grouping,
      channels,
      bases,
      decoded: !(opened instanceof TokenPictures),
      steps: length,
      times,
      incomplete: tube.incomplete,
    };
  },
  async save(saved) {
    return tubeOf(encoded, model.facts, saved);
  },
  async show({ step, settings }) {
    return clip.show(step, settings);
  },
};

function emptyClip(model: StepModel, size: Size): EncodedClip {
  const { facts } = model;
  return facts.bases.length ? new TokenClip(model, size, facts) : new LatentClip(model, size, facts);
}

function latentOf(tube: Tube): Clip {
  checkTokenizer(tube.header, model.facts);
  const opened = new LatentClip(model, tube.header, groupingOf(tube.header));
  stepsOfTube(tube, model.facts).forEach((step) => opened.pushLatent(step));
  return opened;
}

/** Tokens of this tokenizer are decoded; those of others are pictures. */
function tokensOf(tube: Tube): Clip {
  if (tube.header.tokenizerSha256 !== model.facts.sha256) return new TokenPictures(tube);
  checkTokenizer(tube.header, model.facts);
  const opened = new TokenClip(model, tube.header, groupingOf(tube.header));
  tokenStepsOf(tube).forEach((step) => opened.pushTokens(step));
  return opened;
}

/** A tokenizer that has computed a step; on the processor, where the graphics card cannot. */
async function loaded(base: string, kind: "webgpu" | "wasm"): Promise<StepModel> {
  const made = StepModel.load(base, kind).then(async (loaded) => {
    const [, height, width] = loaded.facts.stride;
    const trial = emptyClip(loaded, { height, width });
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
    const given = shown
      ? [shown.latent, ...(shown.digits ? [shown.digits] : []), ...shown.frames].map(({ buffer }) => buffer)
      : [];
    self.postMessage(reply, { transfer: given });
  });
};
