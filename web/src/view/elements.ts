// Elements of the page, by their id.

/** The element of an id, which is of this kind. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

/** Set a text that changes often, only when it does. */
export function setText(id: string, text: string): void {
  const found = document.getElementById(id)!;
  if (found.textContent !== text) found.textContent = text;
}

/** Several facts in one line; where it is too long, it ends between two of them. */
export function setFacts(id: string, facts: string[]): void {
  const found = element(id, HTMLElement);
  const texts = facts.map((fact, i) => (i + 1 < facts.length ? `${fact} ·` : fact));
  if (found.textContent === texts.join(" ")) return;
  const spans = texts.map((text) => {
    const span = document.createElement("span");
    span.textContent = text;
    return span;
  });
  found.replaceChildren(...spans.flatMap((span, i) => (i ? [" ", span] : [span])));
}
