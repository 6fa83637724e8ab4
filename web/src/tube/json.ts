// JSON in the one form that a header may have (SPEC, section 4); anything else is damage.

import { TubeError } from "./bytes";

export type Json = null | boolean | string | number | bigint | Json[] | { [key: string]: Json };

/** What a text holds; whole numbers that a double cannot hold are bigints. */
export function parseCanonical(text: string, deepest: number): Json {
  const parser = new Parser(text, deepest);
  const value = parser.value(1);
  if (parser.at !== text.length) throw damaged();
  return value;
}

/** The canonical text of a value. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort(byCodePoint);
    return `{${keys.map((key) => `${quoted(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return typeof value === "string" ? quoted(value) : String(value);
}

const damaged = () => new TubeError("the file is damaged: its header is not as a header is written");

class Parser {
  at = 0;

  constructor(
    private readonly text: string,
    private readonly deepest: number,
  ) {}

  value(depth: number): Json {
    const begin = this.text[this.at];
    if (begin === "{" || begin === "[") {
      if (depth > this.deepest) throw damaged();
      return begin === "{" ? this.object(depth) : this.list(depth);
    }
    if (begin === '"') return this.string();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  private object(depth: number): Json {
    const found: { [key: string]: Json } = Object.create(null);
    let before: string | null = null;
    this.at++;
    while (!this.takes("}")) {
      if (before !== null) this.must(",");
      const key = this.string();
      if (before !== null && byCodePoint(before, key) >= 0) throw damaged();
      this.must(":");
      found[key] = this.value(depth + 1);
      before = key;
    }
    return found;
  }

  private list(depth: number): Json {
    const found: Json[] = [];
    this.at++;
    while (!this.takes("]")) {
      if (found.length) this.must(",");
      found.push(this.value(depth + 1));
    }
    return found;
  }

  private string(): string {
    const match = /^"(?:[^"\\]|\\.)*"/su.exec(this.text.slice(this.at));
    if (!match) throw damaged();
    this.at += match[0].length;
    let text: unknown;
    try {
      text = JSON.parse(match[0]);
    } catch {
      throw damaged();
    }
    if (typeof text !== "string" || quoted(text) !== match[0]) throw damaged();
    return text;
  }

  private number(): number | bigint {
    const match = /^(?:0|-?[1-9][0-9]{0,18})/.exec(this.text.slice(this.at, this.at + 20));
    if (!match) throw damaged();
    this.at += match[0].length;
    const value = BigInt(match[0]);
    if (value < -(2n ** 63n) || value >= 2n ** 63n) throw damaged();
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  private takes(mark: string): boolean {
    if (this.text[this.at] !== mark) return false;
    this.at++;
    return true;
  }

  private must(mark: string): void {
    if (!this.takes(mark)) throw damaged();
  }
}

const SHORT: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function quoted(text: string): string {
  const escape = (mark: string) => SHORT[mark] ?? `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`;
  // eslint-disable-next-line no-control-regex
  return `"${text.replace(/["\\\u0000-\u001f]/g, escape)}"`;
}

function byCodePoint(one: string, other: string): number {
  const a = Array.from(one, (mark) => mark.codePointAt(0)!),
    b = Array.from(other, (mark) => mark.codePointAt(0)!);
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
