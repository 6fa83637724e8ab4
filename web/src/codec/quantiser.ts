// Latents as whole multiples of a step per channel, as a .tube file holds them.

const BASE_STEP = 0.25;
const STEP_UNIT = 2 ** -20;
const LARGEST_STEP = 2 ** 32 - 1;
const LARGEST_SYMBOL = 2 ** 23 - 1;

/** Steps in units of 2^-20 at a coarseness, as `tubelet encode --step` chooses them. */
export function stepsOf(codingUnits: number[], coarseness: number): number[] {
  return codingUnits.map((unit) => {
    const step = Math.round((Math.fround(BASE_STEP / unit) * coarseness) / STEP_UNIT);
    return Math.min(Math.max(step, 1), LARGEST_STEP);
  });
}

/** Symbols of a part: latent steps, channels (of which each has its step), positions. */
export function quantise(latent: Float32Array, steps: number[], positions: number): Int32Array {
  const symbols = new Int32Array(latent.length);
  for (let plane = 0, at = 0; at < latent.length; plane++) {
    const step = Math.fround(steps[plane % steps.length] * STEP_UNIT);
    for (const end = at + positions; at < end; at++) {
      const symbol = Math.round(latent[at] / step);
      symbols[at] = Math.max(-LARGEST_SYMBOL, Math.min(LARGEST_SYMBOL, symbol));
    }
  }
  return symbols;
}

/** What the symbols of a part stand for; `centroids` of a channel say how much nearer to zero (SPEC, section 4). */
export function dequantise(
  symbols: Int32Array,
  steps: number[],
  positions: number,
  centroids: [number, number][] = [],
): Float32Array<ArrayBuffer> {
  const latent = new Float32Array(symbols.length);
  for (let plane = 0, at = 0; at < symbols.length; plane++) {
    const channel = plane % steps.length;
    const step = Math.fround(steps[channel] * STEP_UNIT);
    const [one, more] = centroids[channel] ?? [0, 0];
    for (const end = at + positions; at < end; at++) {
      const symbol = symbols[at],
        magnitude = Math.abs(symbol);
      const shift = magnitude === 0 ? 0 : (magnitude === 1 ? one : more) / 256;
      latent[at] = Math.sign(symbol) * (magnitude - shift) * step;
    }
  }
  return latent;
}
