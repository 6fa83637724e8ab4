// The worker: one call at a time, in the order in which they come.

import { type Tube, readHeader, readTube } from "../tube";
import type { Clip, EncodedClip } from "./clip";
import { checkTokenizer, layoutsOfTube, stepsOfTube, tokenStepsOf } from "./from_tube";
import { type Grouping, type Size, groupingOf } from "./facts";
import { LatentSteps } from "./latent_steps";
import { layoutsOf } from "./layout";
import type { Answer, Call, Calls, Name } from "./messages";
import { StepModel } from "./model";
import { priorBeside } from "./prior_beside";
import { bestKind } from "./runtime";
import { StepClip } from "./step_clip";
import { tubeOf } from "./to_tube";
import { TokenPictures } from "./token_pictures";
import { TokenSteps } from "./token_steps";

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
    clip = encoded = emptyClip(model, size, model.facts);
    return undefined;
  },
  async push({ frames }) {
    await encoded.push(frames);
    return undefined;
  },
  async openTube({ bytes }) {
    const found = readHeader(bytes);
    // Before its prior is asked for: a page of its tokenizer has that, too.
    if (found.content === "latent" || found.prior) checkTokenizer(found, model.facts);
    const tube = readTube(bytes, found.prior && (await priorBeside(model.base)));
    const opened = tube.header.content === "tokens" ? tokensOf(tube) : latentOf(tube);
    clip = opened;
    const { header } = tube;
    const { timeBase } = header;
    const decoded = !(opened instanceof TokenPictures);
    const ticks = tube.chunks.flatMap((chunk) => chunk.timestamps);
    const times = ticks.map((tick) => (Number(tick - ticks[0]) * timeBase[0]) / timeBase[1]);
    return {
      size: { height: header.height, width: header.width },
      parts: layoutsOfTube(header, decoded ? model.facts : null),
      grouping: opened.grouping,
      bases: header.parts[0].bases,
      decoded,
      steps: opened.length,
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

function emptyClip(model: StepModel, size: Size, grouping: Grouping): EncodedClip {
  const make = model.facts.bases.length ? emptyTokens : emptyLatent;
  return make(model, size, grouping);
}

function emptyLatent(model: StepModel, size: Size, grouping: Grouping) {
  return new StepClip(model, size, grouping, new LatentSteps(model, layoutsOf(model.facts, size)));
}

function emptyTokens(model: StepModel, size: Size, grouping: Grouping) {
  const [only] = layoutsOf(model.facts, size);
  return new StepClip(model, size, grouping, new TokenSteps(model, only));
}

function latentOf(tube: Tube): Clip {
  const opened = emptyLatent(model, tube.header, groupingOf(tube.header));
  stepsOfTube(tube, model.facts).forEach((step) => opened.pushStep(step));
  return opened;
}

/** Tokens of this tokenizer are decoded; those of others are pictures. */
function tokensOf(tube: Tube): Clip {
  if (tube.header.tokenizerSha256 !== model.facts.sha256) return new TokenPictures(tube);
  checkTokenizer(tube.header, model.facts);
  const opened = emptyTokens(model, tube.header, groupingOf(tube.header));
  tokenStepsOf(tube).forEach((step) => opened.pushStep(step));
  return opened;
}

/** A tokenizer that has computed a step; on the processor, where the graphics card cannot. */
async function loaded(base: string, kind: "webgpu" | "wasm"): Promise<StepModel> {
  const made = StepModel.load(base, kind).then(async (loaded) => {
    const [, height, width] = loaded.facts.stride;
    const trial = emptyClip(loaded, { height, width }, loaded.facts);
    await trial.push([new Uint8ClampedArray(4 * height * width)]);
    await trial.show(0, { channels: trial.parts.map(({ channels }) => channels), coarseness: 0 });
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
    const { parts, digits, frames } = shown ?? { parts: [], digits: null, frames: [] };
    const given = [...parts, ...(digits ? [digits] : []), ...frames].map(({ buffer }) => buffer);
    self.postMessage(reply, { transfer: given });
  });
};
