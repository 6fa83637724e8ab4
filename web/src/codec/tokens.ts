// Tokens as digits, and as the numbers and colours that stand for them.

/** Digits of a step as numbers around zero, as the channels of a latent are drawn. */
export function digitsToLevels(
  digits: Int32Array,
  bases: number[][],
  positions: number,
): Float32Array<ArrayBuffer> {
  const flat = bases.flat();
  return Float32Array.from(digits, (digit, at) => (5 * digit) / (flat[Math.floor(at / positions)] - 1) - 2.5);
}

/** The digits of one position, token by token. */
export function digitsAt(digits: Int32Array, bases: number[][], at: number, positions: number): number[][] {
  let channel = 0;
  return bases.map((token) => token.map(() => digits[channel++ * positions + at]));
}

/** A token as a number: mixed radix, the first digit counting least. It may need more than 53 bits. */
export function digitsToToken(digits: number[], bases: number[]): bigint {
  return bases.reduceRight((value, base, i) => value * BigInt(base) + BigInt(digits[i]), 0n);
}

/** How many values a token has. */
export function codebookSize(bases: number[]): bigint {
  return bases.reduce((size, base) => size * BigInt(base), 1n);
}

/** Bits of a position if all of its tokens were as frequent as each other. */
export function nominalBits(bases: number[][]): number {
  return bases.flat().reduce((bits, base) => bits + Math.log2(base), 0);
}

/** What tells the digits of a position from those of others. */
export function tokenKey(digits: Int32Array, at: number, positions: number): string {
  let key = "";
  for (let i = at; i < digits.length; i += positions) key += `${digits[i]},`;
  return key;
}

type Colour = [number, number, number, number];

/**
 * A colour for each position of a step, RGBA; the same digits have the same one. Digits take turns in deciding
 * red, green and blue, the first ones most, so like digits look alike; fewer than three digits, or levels too
 * many for a colour, are mixed up instead, which tells most of them apart.
 */
export function tokenColours(digits: Int32Array, bases: number[][], positions: number): Colour[] {
  const flat = bases.flat();
  const levels = [0, 1, 2].map((turn) => flat.reduce((all, base, i) => (i % 3 === turn ? all * base : all), 1));
  const ordered = flat.length >= 3 && Math.max(...levels) <= 200;
  return Array.from({ length: positions }, (_, at) =>
    ordered ? orderedColour(digits, flat, levels, at, positions) : mixedColour(digits, at, positions),
  );
}

function orderedColour(
  digits: Int32Array,
  bases: number[],
  levels: number[],
  at: number,
  positions: number,
): Colour {
  const values = [0, 0, 0];
  bases.forEach((base, i) => (values[i % 3] = values[i % 3] * base + digits[i * positions + at]));
  const [red, green, blue] = values.map((value, i) => Math.round(28 + (200 * value) / (levels[i] - 1 || 1)));
  return [red, green, blue, 255];
}

function mixedColour(digits: Int32Array, at: number, positions: number): Colour {
  let hash = 0x811c9dc5;
  for (let i = at; i < digits.length; i += positions)
    hash = Math.imul(hash ^ digits[i], 0x01000193) ^ (hash >>> 15);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  const level = (shift: number) => 40 + (((hash >>> shift) & 255) * 200) / 255;
  return [level(0), level(8), level(16), 255];
}
