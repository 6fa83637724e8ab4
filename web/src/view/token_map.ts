// The tokens of a step as a map: a colour for each, and in words the one that is pointed at.

import { codebookSize, digitsAt, digitsToToken, tokenColours, tokenKey } from "../codec/tokens";
import type { Size } from "../codec/facts";
import type { Clip, View } from "../player";
import { element, setText } from "./elements";

/** A position of the map. */
interface Place {
  row: number;
  column: number;
}

const ARROWS: Record<string, Place> = {
  ArrowLeft: { row: 0, column: -1 },
  ArrowRight: { row: 0, column: 1 },
  ArrowUp: { row: -1, column: 0 },
  ArrowDown: { row: 1, column: 0 },
};

export class TokenMap {
  private readonly section = element("map-section", HTMLElement);
  private readonly map = element("map", HTMLElement);
  private readonly canvas = element("map-picture", HTMLCanvasElement);
  private readonly mark = element("map-mark", HTMLElement);
  private view: View | null = null;
  /** Chosen by a click, a tap or the keys; it stays. */
  private chosen: Place | null = null;
  /** Where the mouse is. */
  private pointed: Place | null = null;

  constructor() {
    this.map.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") this.point(this.under(event));
    });
    this.map.addEventListener("pointerleave", () => this.point(null));
    this.map.addEventListener("click", (event) => this.choose(this.under(event)));
    this.map.addEventListener("focus", () => {
      if (!this.chosen && this.map.matches(":focus-visible")) this.choose({ row: 0, column: 0 });
    });
    this.map.addEventListener("keydown", (event) => {
      const way = ARROWS[event.key];
      if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const { row, column } = this.chosen ?? { row: 0, column: 0 };
      this.pointed = null;
      this.choose({ row: row + way.row, column: column + way.column });
    });
  }

  /** Draw the tokens of a step; without any, there is no map. `spoken`: whether changes are read out. */
  draw(view: View, spoken: boolean): void {
    const { clip, shown } = view;
    this.view = view;
    this.section.hidden = shown.digits === null;
    if (!shown.digits) return;
    const { height, width } = cellsOf(clip);
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { height, width });
    const picture = new ImageData(width, height);
    tokenColours(shown.digits, clip.bases, height * width).forEach((colour, at) =>
      picture.data.set(colour, 4 * at),
    );
    canvas.getContext("2d", { willReadFrequently: true })!.putImageData(picture, 0, 0);
    const [, h, w] = clip.grouping.stride;
    this.map.style.setProperty("--shape", `${(w * width) / (h * height)}`);
    element("token", HTMLElement).setAttribute("aria-live", spoken ? "polite" : "off");
    this.sayCounts(shown.digits, height * width);
    this.say();
  }

  private sayCounts(digits: Int32Array, positions: number): void {
    const keys = Array.from({ length: positions }, (_, at) => tokenKey(digits, at, positions));
    const different = new Set(keys).size.toLocaleString("en");
    setText("map-facts", `${positions} positions, ${different} of them different.`);
  }

  private point(place: Place | null): void {
    this.pointed = place;
    this.say();
  }

  private choose(place: Place): void {
    this.chosen = place;
    this.say();
  }

  /** The position below the pointer. */
  private under(event: MouseEvent): Place {
    const box = this.canvas.getBoundingClientRect();
    const { height, width } = this.canvas;
    return {
      row: Math.floor(((event.clientY - box.top) / box.height) * height),
      column: Math.floor(((event.clientX - box.left) / box.width) * width),
    };
  }

  /** Mark the position, and say its token. */
  private say(): void {
    const place = this.pointed ?? this.chosen;
    const digits = this.view?.shown.digits;
    this.mark.hidden = !place || !digits;
    if (!place || !digits) return setText("token", "Point at a position, or tap it, to see its token.");
    const { bases } = this.view!.clip;
    const cells = cellsOf(this.view!.clip);
    // Another clip may have fewer; keys go no further than the edge.
    place.row = Math.max(0, Math.min(cells.height - 1, place.row));
    place.column = Math.max(0, Math.min(cells.width - 1, place.column));
    for (const [name, value] of [
      ["top", place.row / cells.height],
      ["left", place.column / cells.width],
      ["height", 1 / cells.height],
      ["width", 1 / cells.width],
    ] as const)
      this.mark.style.setProperty(name, `${100 * value}%`);
    setText("token", describe(digits, bases, place, cells.height * cells.width, cells.width));
  }
}

/** Rows and columns of tokens. */
function cellsOf({ parts: [{ rows, columns }] }: Clip): Size {
  return { height: rows, width: columns };
}

/** A position in words: its tokens, their digits, and where else they are. */
function describe(
  digits: Int32Array,
  bases: number[][],
  { row, column }: Place,
  positions: number,
  columns: number,
): string {
  const at = row * columns + column;
  const tokens = digitsAt(digits, bases, at, positions).map((own, i) => {
    const number = digitsToToken(own, bases[i]).toLocaleString("en");
    return `token ${number} of ${codebookSize(bases[i]).toLocaleString("en")}: digits ${own.join(" ")}`;
  });
  const key = tokenKey(digits, at, positions);
  let same = -1;
  for (let other = 0; other < positions; other++)
    if (tokenKey(digits, other, positions) === key) same++;
  const where = same ? `; at ${same} other position${same > 1 ? "s" : ""} too` : "";
  return `Row ${row + 1}, column ${column + 1}: ${tokens.join("; ")}${where}`;
}
