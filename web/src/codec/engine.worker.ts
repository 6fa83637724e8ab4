// The worker: one call at a time, in the order in which they come.

import { ClipCodec } from "./clip";
import type { Answer, Call, Calls, Name } from "./messages";
import { StepModel } from "./model";

let model: StepModel;
let clip: ClipCodec;

const functions: { [N in Name]: (given: Calls[N]["given"]) => Promise<Calls[N]["answer"]> } = {
  async load({ base }) {
    model = await StepModel.load(base);
    return { facts: model.facts, threads: model.threads };
  },
  async begin(size) {
    clip = new ClipCodec(model, size);
    return undefined;
  },
  async push({ frames }) {
    await clip.push(frames);
    return undefined;
  },
  async adopt({ steps }) {
    steps.forEach((step) => clip.pushLatent(step));
    return undefined;
  },
  async show({ step, settings }) {
    const shown = await clip.show(step, settings);
    // What is kept here is not given away.
    return { ...shown, latent: shown.latent.slice() };
  },
};

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
