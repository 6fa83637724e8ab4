// ---- Tables of figures: a row for each system -----------------------------------------------------------------

/**
 * A table that is sorted by a click on a head, and shows the columns that fit.
 *
 * `cell(system, column)` gives what a cell shows: `value` to sort by, `text`, and as far as there is any `half`,
 * `note`, `best` and `why` (an explanation). Rows whose rates cannot be compared stand apart.
 */
function figureTable(used, cell, { caption }) {
  const groups = h("tr", { class: "groups" });
  const heads = new Map();
  const rows = systems.map((system) => {
    const cells = new Map(used.map((column) => [column, cell(system, column)]));
    const drawn = new Map([...cells].map(([column, each]) => [column, tableCell(each, column)]));
    return { system, cells, drawn, row: h("tr", {}, h("th", { scope: "row" }, nameOf(system)), [...drawn.values()]) };
  });
  const bodies = kinds.map((kind) => {
    const title = kinds.length > 1 ? h("th", { scope: "rowgroup" }, h("span", {}, KIND_TITLES[kind])) : null;
    const members = rows.filter(({ system }) => page.rates[system] === kind);
    return { title, members, body: h("tbody"), before: title ? [h("tr", { class: "kind" }, title)] : [] };
  });
  let order = { column: null, worst: false };

  function sort(column) {
    order = { column, worst: order.column === column && !order.worst };
    // What was not measured comes last, whichever way.
    const better = column?.better || (column?.group === "speed" ? "more" : "less");
    const key = ({ cells }) => loss(cells.get(column).value, better) * (order.worst ? -1 : 1);
    for (const { members, body, before } of bodies) {
      const known = members.filter(({ cells }) => column === null || cells.get(column).value !== undefined);
      const sorted = column === null ? known : known.toSorted((one, other) => key(one) - key(other) || 0);
      const last = members.filter((each) => !known.includes(each));
      body.replaceChildren(...before, ...[...sorted, ...last].map(({ row }) => row));
    }
    for (const [each, head] of heads) {
      if (each === column) head.setAttribute("aria-sort", (better === "more") === order.worst ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  function show(columns) {
    for (const [column, head] of heads) {
      const place = columns.indexOf(column);
      const first = place >= 0 && columns[place].group !== columns[place - 1]?.group;
      for (const element of [head, ...rows.map(({ drawn }) => drawn.get(column))]) {
        element.hidden = place < 0;
        element.classList.toggle("first", first);
      }
    }
    const spans = columns.reduce((found, { group }) => found.set(group, (found.get(group) ?? 0) + 1), new Map());
    groups.replaceChildren(h("td"), ...[...spans].map(([group, span]) => h("th", { scope: "colgroup", colspan: span, class: "first" }, titleOf(group))));
    for (const { title } of bodies) title?.setAttribute("colspan", columns.length + 1);
  }

  const names = used.map((column) => {
    const button = h("button", { type: "button", onclick: () => sort(column) }, column.head, "\u00a0",
      h("span", { class: "arrow" }, ARROWS[column.better] ?? ""));
    explain(button, `${about(column)} Click to sort.`);
    heads.set(column, h("th", { scope: "col" }, button));
    return heads.get(column);
  });
  const plain = h("button", { type: "button", onclick: () => sort(null) }, "system");
  explain(plain, "Click for the order of the command.");
  const table = h("table", { class: "figures" },
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, groups, h("tr", {}, h("th", { scope: "col" }, plain), names)),
    bodies.map(({ body }) => body));
  sort(null);
  const scroller = h("div", { class: "scroll", role: "region", "aria-label": caption }, table);
  show(used);
  return h("div", { class: "table" }, foldedColumns(scroller, used, show), scroller);
}

function tableCell({ text: figure, half, note, best, why }, column) {
  const element = h("td", { class: [best && "best", column.group === "speed" && "rough"].filter(Boolean).join(" ") || null },
    h("span", { class: "mean" }, figure),
    half && h("span", { class: "half" }, `±${half}`),
    note && h("span", { class: "half" }, note));
  if (best) element.append(h("span", { class: "unseen" }, " best of its rate"));
  // What is absent can be asked for by keyboard, too.
  if (figure === "-") element.setAttribute("tabindex", 0);
  return why ? explain(element, why) : element;
}

/** Columns of a table: the rate first, and in its place no other that says the same. */
function withRate(used) {
  const spare = new Set(["bits_per_pixel", ...(kinds.includes("bits_per_pixel") ? [] : ["numbers_per_pixel"])]);
  const others = used.filter((column) => !spare.has(column.name));
  const rates = others.filter(({ group }) => group === "rate");
  const known = systems.some((system) => meanOf(system, RATE, parts[0]) !== undefined);
  return [...(known ? [RATE] : []), ...rates, ...others.filter((column) => !rates.includes(column))];
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
      `Means over the clips ± half of their ${Math.round(100 * (figures.intervals?.level ?? 0.95))} % interval. ` +
      "Marked is the best of the systems that have the same rate, for at more bits everything is better; where no two have the same, nothing is. " +
      "Columns of different groups are never added up.",
      speedNote()),
    failed());
}

function summaryTable(part) {
  const used = columns.filter((column) => systems.some((system) => meanOf(system, column, part) !== undefined));
  if (!used.some(({ group }) => group !== "speed")) return h("p", { class: "note" }, "No system has figures of these clips.");
  const shown = withRate(used);
  const cells = new Map(shown.map((column) => [column, columnCells(column, part)]));
  return figureTable(shown, (system, column) => cells.get(column).get(system), { caption: `Figures of ${part.label}` });
}

/**
 * The cells of a column by system, the best marked; html.py says which those are.
 *
 * A mean over fewer clips than another system's says over how many. It does not count clips without error, whose
 * figure is infinite; it says how many there are.
 */
function columnCells(column, part) {
  const found = new Map(systems.map((system) => [system, meanOf(system, column, part)]));
  const most = Math.max(...[...found.values()].map((each) => each?.clips ?? 0));
  const best = bestOf(column, part);
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
      best: best.includes(system),
      why: [wide && `${system}: from ${shown(each.low, column)} to ${shown(each.high, column)}, of ${count(each.clips, "clip")}.`, best.includes(system) && "The best of the systems that have this rate."].filter(Boolean).join(" "),
    }];
  }));
}

/** What must be known of times. */
function speedNote() {
  const workers = figures.run?.workers ?? 1;
  const beside = workers > 1 ? `${workers} processes shared the machine here, so this` : "Whatever else the machine did is in it, so this";
  return ` Speed is the pixels of all clips over their time in this evaluation. ${beside} is no measurement of speed; “tubelet bench” makes one.`;
}

/** Every clip that failed, with its sentence. */
function failed() {
  if (!failures.length) return null;
  return h("div", { class: "failed" }, h("h3", {}, `${count(failures.length, "failure")}`),
    h("ul", {}, failures.map(({ name, error, systems: those }) =>
      h("li", {}, "no figures of ", those.length < systems.length ? [inText(name), " by ", ...namesInText(those, ":")] : inText(name, ":"), ` ${error}`))));
}
