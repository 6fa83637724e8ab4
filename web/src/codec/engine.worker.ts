// The worker: one call at a time, in the order in which they come.

import { readTube } from "../tube";
import { ClipCodec } from "./clip";
import { checkTokenizer, stepsOfTube } from "./from_tube";
import type { Answer, Call, Calls, Name } from "./messages";
import { StepModel } from "./model";
import { tubeOf } from "./to_tube";

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
  async openTube({ bytes }) {
    const tube = readTube(bytes);
    checkTokenizer(tube.header, model.facts);
    const { height, width, parts: [{ channels }], timeBase } = tube.header;
    const opened = new ClipCodec(model, { height, width });
    stepsOfTube(tube, model.facts).forEach((step) => opened.pushLatent(step));
    clip = opened;
    const ticks = tube.chunks.flatMap((chunk) => chunk.timestamps);
    const times = ticks.map((tick) => (Number(tick - ticks[0]) * timeBase[0]) / timeBase[1]);
    return { size: { height, width }, channels, steps: clip.length, times, incomplete: tube.incomplete };
  },
  async save(saved) {
    return tubeOf(clip, model.facts, saved);
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
