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
