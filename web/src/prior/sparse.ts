// Sums of rows of a matrix: most of what a prior sees is zero, and is left out.

/** Rows of a matrix that are added up, and what each is multiplied with; none times zero. */
export class SparseRow {
  private length = 0;
  private readonly rows: Int32Array;
  private readonly values: Int32Array;

  constructor(most: number) {
    this.rows = new Int32Array(most);
    this.values = new Int32Array(most);
  }

  clear(): void {
    this.length = 0;
  }

  add(row: number, value: number): void {
    if (value === 0) return;
    this.rows[this.length] = row;
    this.values[this.length++] = value;
  }

  /** Add the product to `columns` numbers of `sums` from `begin` on; rows count from `first`. */
  addTo(sums: Int32Array, begin: number, matrix: Int16Array, first: number, columns: number): void {
    const { rows, values, length } = this;
    const last = length - (length & 1);
    // Two rows at a time: each sum is read and written half as often.
    for (let i = 0; i < last; i += 2) {
      const one = (first + rows[i]) * columns,
        two = (first + rows[i + 1]) * columns,
        a = values[i],
        b = values[i + 1];
      for (let h = 0; h < columns; h++)
        sums[begin + h] += Math.imul(a, matrix[one + h]) + Math.imul(b, matrix[two + h]);
    }
    if (last < length) {
      const one = (first + rows[last]) * columns,
        a = values[last];
      for (let h = 0; h < columns; h++) sums[begin + h] += Math.imul(a, matrix[one + h]);
    }
  }
}

/** Add numbers from `from` on. */
export function addRow(sums: Int32Array, begin: number, row: Int32Array, from: number, columns: number): void {
  for (let h = 0; h < columns; h++) sums[begin + h] += row[from + h];
}
