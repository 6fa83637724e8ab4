// The worker's functions as the page calls them.

import type { Answer, Calls, Name } from "./messages";

export class Engine {
  private readonly worker = new Worker(new URL("./engine.worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<
    number,
    { name: Name; resolve: (answer: never) => void; reject: (error: Error) => void }
  >();
  private calls = 0;
  /** Milliseconds that the last call of each function took. */
  readonly times: Partial<Record<Name, number>> = {};

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const call = this.waiting.get(data.id)!;
      this.waiting.delete(data.id);
      this.times[call.name] = data.time;
      if (data.error === undefined) call.resolve(data.answer as never);
      else call.reject(new Error(data.error));
    };
    this.worker.onerror = (event) => {
      for (const call of this.waiting.values())
        call.reject(new Error(event.message || "the worker did not start"));
      this.waiting.clear();
    };
  }

  /** Call a function of the worker. Fails with what went wrong there. */
  ask<N extends Name>(name: N, given: Calls[N]["given"]): Promise<Calls[N]["answer"]> {
    const id = this.calls++;
    this.worker.postMessage({ id, name, given });
    return new Promise((resolve, reject) => this.waiting.set(id, { name, resolve, reject }));
  }
}
