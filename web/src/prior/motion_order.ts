// The order in which vectors are coded: a coarse grid, then what lies between, ever finer.

const COARSEST = 8;
const CORNERS = [
  [-1, -1],
  [-1, 1],
  [1, -1],
  [1, 1],
];
const SIDES = [
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, 0],
];

/** Positions of a step that are coded together. */
export interface Pass {
  kind: number;
  /** In raster order. */
  places: number[];
  /** Those around each that are known by then. */
  near: number[][];
}

/** All passes over a step; each position is in one of them. */
export function passesOf(rows: number, columns: number): Pass[] {
  const passes: Pass[] = [];
  const add = (kind: number, around: number[][], apart: number, has: (row: number, column: number) => boolean) => {
    const pass: Pass = { kind, places: [], near: [] };
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        if (has(row, column)) {
          pass.places.push(row * columns + column);
          const near = around.map(([down, right]) => [row + apart * down, column + apart * right]);
          const known = near.filter(([r, c]) => r >= 0 && r < rows && c >= 0 && c < columns);
          pass.near.push(known.map(([r, c]) => r * columns + c));
        }
    if (pass.places.length) passes.push(pass);
  };
  add(0, [], 0, (row, column) => row % COARSEST === 0 && column % COARSEST === 0);
  for (let apart = COARSEST / 2; apart >= 1; apart /= 2) {
    const kind = apart > 1 ? 1 : 3;
    add(kind, CORNERS, apart, (row, column) => row % (2 * apart) === apart && column % (2 * apart) === apart);
    add(
      kind + 1,
      SIDES,
      apart,
      (row, column) => row % apart === 0 && column % apart === 0 && (row / apart + column / apart) % 2 === 1,
    );
  }
  return passes;
}
