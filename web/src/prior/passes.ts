// In which order the positions of a step are coded: passes, each of which sees all passes before it.

const PATTERNS: Record<number, number[][]> = {
  2: [
    [0, 1],
    [1, 0],
  ],
  4: [
    [0, 2],
    [3, 1],
  ],
};

export function passOf(passes: number, row: number, column: number): number {
  return PATTERNS[passes][row & 1][column & 1];
}

/** Which of a position's neighbours (0 to 8 row by row, it is in the middle) are coded in passes before its own. */
export function knownTaps(passes: number, turn: number): number[] {
  const at = [0, 1, 2, 3].find((i) => PATTERNS[passes][i >> 1][i & 1] === turn)!;
  const taps = Array.from({ length: 9 }, (_, tap) => tap);
  // Rows and columns count from two above, so that none is below zero.
  return taps.filter(
    (tap) => passOf(passes, (at >> 1) + 1 + Math.floor(tap / 3), (at & 1) + 1 + (tap % 3)) < turn,
  );
}
