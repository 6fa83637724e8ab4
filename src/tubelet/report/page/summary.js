// ---- Tables of figures: a row for each system -----------------------------------------------------------------

/**
 * A table that is sorted by a click on a head.
 *
 * `cell(system, column)` gives what a cell shows: `value` to sort by, `text`, and as far as there is any `half`,
 * `note`, `best` and `why` (an explanation).
 */
function figureTable(used, cell, { caption }) {
  const body = h("tbody");
  const heads = new Map();
  let order = { column: null, worst: false };

  const rows = systems.map((system) => {
    const cells = used.map((column) => cell(system, column));
    const row = h("tr", {}, h("th", { scope: "row" }, nameOf(system)), cells.map((each, place) => tableCell(each, starts(used, place))));
    return { system, cells, row };
  });

  function sort(column) {
    order = { column, worst: order.column === column && !order.worst };
    const place = used.indexOf(column);
    // What was not measured comes last, whichever way.
    const better = column?.better || (column?.group === "speed" ? "more" : "less");
    const key = ({ cells }) => loss(cells[place].value, better) * (order.worst ? -1 : 1);
    const known = rows.filter(({ cells }) => column === null || cells[place].value !== undefined);
    const sorted = column === null ? known : known.toSorted((one, other) => key(one) - key(other) || 0);
    body.replaceChildren(...sorted.map(({ row }) => row), ...rows.filter((row) => !known.includes(row)).map(({ row }) => row));
    for (const [each, head] of heads) {
      if (each === column) head.setAttribute("aria-sort", (better === "more") === order.worst ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  const groups = used.reduce((found, { group }) => found.set(group, (found.get(group) ?? 0) + 1), new Map());
  const names = used.map((column, place) => {
    const button = h("button", { type: "button", onclick: () => sort(column) }, column.head, " ",
      h("span", { class: "arrow" }, ARROWS[column.better] ?? ""));
    explain(button, `${about(column)} Click to sort.`);
    const head = h("th", { scope: "col", class: starts(used, place) }, button);
    heads.set(column, head);
    return head;
  });
  const plain = h("button", { type: "button", onclick: () => sort(null) }, "system");
  explain(plain, "Click for the order of the command.");
  const table = h("table", { class: "figures" },
    h("caption", { class: "unseen" }, caption),
    h("thead", {},
      h("tr", { class: "groups" }, h("td"), [...groups].map(([group, span]) => h("th", { scope: "colgroup", colspan: span, class: "first" }, titleOf(group)))),
      h("tr", {}, h("th", { scope: "col" }, plain), names)),
    body);
  sort(null);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
}

/** The first column of a group has a line before it. */
const starts = (used, place) => (used[place].group === used[place - 1]?.group ? null : "first");

function tableCell({ text: figure, half, note, best, why }, first) {
  const element = h("td", { class: [first, best && "best"].filter(Boolean).join(" ") || null },
    h("span", { class: "mean" }, figure),
    half && h("span", { class: "half" }, `±${half}`),
    note && h("span", { class: "half" }, note));
  if (best) element.append(h("span", { class: "unseen" }, " best"));
  // What is absent can be asked for by keyboard, too.
  if (figure === "-") element.setAttribute("tabindex", 0);
  return why ? explain(element, why) : element;
}

// ---- Summary: means over the clips that share a tag -----------------------------------------------------------

function summary() {
  const place = h("div", { class: "settle" });
  const draw = (part) => place.replaceChildren(summaryTable(part));
  const tags = choice("clips", parts.map((part, number) => [number, part.label]), 0, (number) => draw(parts[number]), { id: "part" });
  draw(parts[0]);
  return h("section", { id: "summary" },
    h("div", { class: "title" }, h("h2", {}, "Summary"), parts.length > 1 && tags.element),
    place,
    h("p", { class: "note" },
      `Means over the clips ± half of their ${Math.round(100 * (figures.intervals?.level ?? 0.95))} % interval; the best of a column is marked, at whatever rate. ` +
      "Columns of different groups are never added up. Rates have no best: fewer bits are better only at equal quality.",
      speedNote()),
    failed());
}

function summaryTable(part) {
  const used = columns.filter((column) => systems.some((system) => meanOf(system, column, part) !== undefined));
  if (!used.length) return h("p", { class: "note" }, "No system has figures of these clips.");
  const cells = new Map(used.map((column) => [column, columnCells(column, part)]));
  return figureTable(used, (system, column) => cells.get(column).get(system), { caption: `Figures of ${part.label}` });
}

/**
 * The cells of a column by system, the best marked.
 *
 * A mean over fewer clips than another system's says over how many, and is never the best: clips differ more than
 * systems do. Nor does it count clips without error, whose figure is infinite; it says how many there are.
 */
function columnCells(column, part) {
  const found = new Map(systems.map((system) => [system, meanOf(system, column, part)]));
  const most = Math.max(...[...found.values()].map((each) => each?.clips ?? 0));
  const losses = new Map();
  for (const [system, each] of found) {
    // As it is shown: figures that look the same are as good.
    if (each && each.clips === most && column.better) losses.set(system, loss(rounded(each.mean, column), column.better));
  }
  const least = Math.min(...losses.values());
  const differ = new Set(losses.values()).size > 1;
  const isWide = (each) => typeof each?.low === "number" && typeof each.high === "number" && each.clips > 1;
  const halves = new Map([...found].filter(([, each]) => isWide(each)).map(([system, each]) => [system, shown((each.high - each.low) / 2, column)]));
  // As long as each other, so that the figures before them stand in line.
  const length = Math.max(0, ...[...halves.values()].map((half) => half.length));
  return new Map(systems.map((system) => {
    const each = found.get(system);
    if (!each) return [system, { value: undefined, text: "-", why: whyAbsent(system, column) }];
    const wide = isWide(each);
    return [system, {
      value: each.mean,
      text: shown(each.mean, column),
      half: halves.get(system)?.padEnd(length, "\u2007") ?? "",
      note: [each.clips < most ? `of ${each.clips}` : "", each.exact && each.mean !== null ? `${each.exact} exact` : ""].filter(Boolean).join(", "),
      best: differ && losses.get(system) === least,
      why: wide ? `${system}: from ${shown(each.low, column)} to ${shown(each.high, column)}, of ${count(each.clips, "clip")}.` : "",
    }];
  }));
}

function rounded(value, column) {
  return value === null || column.digits === null ? value : Number((value * column.times).toFixed(column.digits));
}

/** What must be known of times. */
function speedNote() {
  const workers = figures.run?.workers ?? 1;
  const beside = workers > 1 ? `with ${workers} processes at work, as here, or beside other work, it is no measurement of speed.` : "beside other work it is no measurement of speed.";
  return ` Speed is the pixels of all clips over their time together; ${beside} "tubelet bench" is one.`;
}

/** Every clip that failed, with its sentence. */
function failed() {
  if (!failures.length) return null;
  return h("div", { class: "failed" }, h("h3", {}, `${count(failures.length, "failure")}`),
    h("ul", {}, failures.map(({ name, error, systems: those }) =>
      h("li", {}, "no figures of ", h("code", {}, name), ...(those.length < systems.length ? [" by ", ...those.map(nameOf)] : []), `: ${error}`))));
}
