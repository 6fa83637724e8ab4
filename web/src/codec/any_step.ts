// Steps of a clip decoded in any order, by a network that remembers the steps before.

import type { Decoded, Past } from "./model";

export class AnyStep {
  private last: { step: number; key: string; past: Past } | null = null;

  /** `warmUp` steps must be decoded before the first step that is wanted. */
  constructor(private readonly warmUp: number) {}

  /**
   * The frames of a step; if it does not follow the last one, steps before it are decoded.
   *
   * `decode` decodes one, after what came before; what differs in `key` from the last time begins again.
   */
  async frames(
    step: number,
    key: string,
    decode: (step: number, past: Past) => Promise<Decoded>,
  ): Promise<Float32Array> {
    const { last } = this;
    const follows = last !== null && last.key === key && last.step === step - 1;
    let past = follows ? last.past : null;
    for (let at = follows ? step : Math.max(0, step - this.warmUp); ; at++) {
      const decoded = await decode(at, past);
      past = decoded.past;
      if (at < step) continue;
      this.last = { step, key, past };
      return decoded.frames;
    }
  }
}
