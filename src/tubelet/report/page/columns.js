// ---- Which columns of a table are shown -----------------------------------------------------------------------

/** What matters most, first: a table shows as many of these as there is room for, and at least `LEAST`. */
const MAIN = [
  "psnr_db", "rate", "megapixels_per_second_decode", "megapixels_per_second_encode", "ms_ssim", "flicker_levels",
  "difference_psnr_db", "lpips", "ssim", "vmaf",
];
const LEAST = 3;

/** What fits each table into its room; the page calls these before it is seen first, so that nothing jumps. */
const fits = [];

/** Some columns by what matters most: first the main ones, then those that make up for missing ones. */
function mainOf(used) {
  const main = MAIN.map((name) => used.find((column) => column.name === name)).filter(Boolean);
  return [...main, ...used.filter((column) => !main.includes(column)).slice(0, Math.max(0, LEAST - main.length))];
}

/**
 * A table that shows the columns that fit, and a control that opens the others.
 *
 * Args: `scroller`, which the table lies in; `used`, its columns; `show(columns)`, which shows these and no others.
 */
function foldedColumns(scroller, used, show) {
  const main = mainOf(used);
  let chosen = null;

  const boxes = new Map(used.map((column) => {
    const box = h("input", {
      type: "checkbox",
      onchange: () => choose(used.filter((each) => boxes.get(each).checked)),
    });
    return [column, box];
  }));
  const said = h("span");
  const fitting = h("button", { type: "button", class: "plain", onclick: () => choose(null) }, "those that fit");
  const all = h("button", { type: "button", class: "plain", onclick: () => choose(used) }, "all");
  const groups = Map.groupBy ? Map.groupBy(used, ({ group }) => group) : groupBy(used);
  const body = h("div", { class: "chooser-body", hidden: true },
    h("div", { class: "choices" }, fitting, all),
    [...groups].map(([group, members]) => h("fieldset", {}, h("legend", {}, titleOf(group)),
      members.map((column) => h("label", { class: "choice" }, boxes.get(column), column.head)))));
  const opener = h("button", {
    type: "button", class: "opener", "aria-expanded": "false",
    onclick: () => {
      body.hidden = !body.hidden;
      opener.setAttribute("aria-expanded", String(!body.hidden));
    },
  }, said);
  const chooser = h("div", { class: "chooser" }, opener, body);

  function choose(these) {
    chosen = these;
    fit();
  }

  function fit() {
    const shown = new Set(chosen ?? main);
    const draw = () => show(used.filter((column) => shown.has(column)));
    draw();
    // Those that matter least are folded away until no line must be scrolled.
    for (const column of chosen === null ? main.toReversed() : []) {
      if (scroller.scrollWidth <= scroller.clientWidth || shown.size <= LEAST) break;
      shown.delete(column);
      draw();
    }
    for (const [column, box] of boxes) box.checked = shown.has(column);
    said.textContent = shown.size === used.length ? `all ${count(used.length, "column")}` : `${shown.size} of ${count(used.length, "column")}`;
    // A region that scrolls can be reached by keyboard; one that does not is no stop on the way.
    if (scroller.scrollWidth > scroller.clientWidth) scroller.setAttribute("tabindex", 0);
    else scroller.removeAttribute("tabindex");
  }

  let width = 0;
  const fitOnce = () => {
    if (scroller.clientWidth === width) return;
    width = scroller.clientWidth;
    fit();
  };
  fits.push(fitOnce);
  new ResizeObserver(fitOnce).observe(scroller);
  return used.length > Math.min(LEAST, main.length) ? chooser : null;
}

function groupBy(used) {
  const found = new Map();
  for (const column of used) found.set(column.group, [...(found.get(column.group) ?? []), column]);
  return found;
}
