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

/** Symbols of the first channels of one step of a latent. */
export function quantise(latent: Float32Array, steps: number[], positions: number): Int32Array {
  const symbols = new Int32Array(steps.length * positions);
  for (let channel = 0; channel < steps.length; channel++) {
    const step = Math.fround(steps[channel] * STEP_UNIT);
    for (let at = channel * positions; at < (channel + 1) * positions; at++) {
      const symbol = Math.round(latent[at] / step);
      symbols[at] = Math.max(-LARGEST_SYMBOL, Math.min(LARGEST_SYMBOL, symbol));
    }
  }
  return symbols;
}

/** What the symbols of one step stand for; `centroids` of a channel say how much nearer to zero (SPEC, section 4). */
export function dequantise(
  symbols: Int32Array,
  steps: number[],
  positions: number,
  centroids: [number, number][] = [],
): Float32Array {
  const latent = new Float32Array(symbols.length);
  for (let channel = 0; channel < steps.length; channel++) {
    const step = Math.fround(steps[channel] * STEP_UNIT);
    const [one, more] = centroids[channel] ?? [0, 0];
    for (let at = channel * positions; at < (channel + 1) * positions; at++) {
      const symbol = symbols[at],
        magnitude = Math.abs(symbol);
      const shift = magnitude === 0 ? 0 : (magnitude === 1 ? one : more) / 256;
      latent[at] = Math.sign(symbol) * (magnitude - shift) * step;
    }
  }
  return latent;
}
