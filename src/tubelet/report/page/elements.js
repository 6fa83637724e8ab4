// html.py joins all scripts of the page to one module, in its order; they share one scope.

// ---- Elements -----------------------------------------------------------------------------------------------

/** Make an HTML element. Children that are texts become text nodes: nothing is ever parsed as HTML. */
function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Make an SVG element. */
function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // The policy of the page forbids style attributes in text, but not properties that a script sets.
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  const there = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...there);
  return element;
}

/** A choice of one of several: pairs of a value and what it is called. Gives the label with its select. */
function choice(label, options, value, onchange, attributes = {}) {
  const select = h("select", { ...attributes, onchange: () => onchange(select.value) },
    options.map(([each, text]) => h("option", { value: each }, text)));
  select.value = value;
  return { element: h("label", { class: "choice" }, h("span", {}, label), select), select };
}

/** A button with a picture on it, drawn in a box of 16 by 16. */
function iconButton(label, path, onclick, attributes = {}) {
  const shape = svg("path", { d: path });
  const picture = svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, shape);
  const button = h("button", { type: "button", class: "icon", "aria-label": label, onclick, ...attributes }, picture);
  explain(button, label);
  return { element: button, draw: (d) => shape.setAttribute("d", d) };
}

const ICONS = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  back: "M11.5 2.5v11L5 8zM3 2.5h1.6v11H3z",
  forth: "M4.5 2.5v11L11 8zM11.4 2.5H13v11h-1.6z",
  theme: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zm0 1.5v10a5 5 0 0 1 0-10z",
};

// ---- Explanations -------------------------------------------------------------------------------------------

const bubble = h("div", { id: "bubble", role: "tooltip", hidden: true });

/** Show a text beside an element while it is pointed at or has the focus. The text may be a function. */
function explain(element, text) {
  const show = () => {
    const said = typeof text === "function" ? text() : text;
    if (!said) return;
    bubble.textContent = said;
    bubble.hidden = false;
    element.setAttribute("aria-describedby", bubble.id);
    const box = element.getBoundingClientRect();
    const { width, height } = bubble.getBoundingClientRect();
    const room = document.documentElement.clientWidth - width - 8;
    const below = box.bottom + height + 12 < innerHeight || box.top < height + 12;
    bubble.style.left = `${Math.max(8, Math.min(room, box.left + box.width / 2 - width / 2))}px`;
    bubble.style.top = `${below ? box.bottom + 6 : box.top - height - 6}px`;
  };
  const hide = () => {
    bubble.hidden = true;
    element.removeAttribute("aria-describedby");
  };
  element.addEventListener("pointerenter", show);
  element.addEventListener("pointerleave", hide);
  element.addEventListener("focus", show);
  element.addEventListener("blur", hide);
  return element;
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape") bubble.hidden = true;
});
addEventListener("scroll", () => (bubble.hidden = true), { capture: true, passive: true });

// ---- Bytes --------------------------------------------------------------------------------------------------

/** The bytes that a text in base64 stands for. */
function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** A film or a still of the page as a blob. */
function mediaOf(number, type) {
  return new Blob([bytesOf(document.getElementById(`film-${number}`).textContent)], { type });
}
