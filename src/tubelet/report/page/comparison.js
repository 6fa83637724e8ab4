// ---- Comparison: quality against rate, and systems side by side ----------------------------------------------

const RATES = {
  bits_per_pixel: "bits on disk per pixel",
  numbers_per_pixel: "numbers per pixel, not quantised",
  nominal_bits_per_pixel: "nominal bits per pixel",
  entropy_bits_per_pixel: "entropy in bits per pixel",
};

/** What is shown side by side at first, of what was measured. */
const PANELS = ["psnr_db", "ms_ssim", "flicker_levels", "difference_psnr_db"];

/** So many systems have a panel for each of these measures; more have one whose measure is chosen. */
const FEW = 8;

/** Rates that differ by no more than this factor are one place on an axis. */
const APART = 1.02;

function comparison() {
  const qualities = columns.filter((column) =>
    !["rate", "speed", "drift_psnr_db"].includes(column.group) && systems.some((system) => meanOf(system, column, parts[0])));
  if (!qualities.length) return null;
  return h("section", { id: "comparison" }, h("h2", {}, "Comparison"), rateAndQuality(qualities), sideBySide(qualities));
}

// ---- Quality against rate ----------------------------------------------------------------------------------

/** What a system costs on an axis: bits and numbers of those alone whose own rate they are. */
function costOf(system, column) {
  if (kinds.concat("bits_per_pixel", "numbers_per_pixel").includes(column.name) && page.rates[system] !== column.name) return undefined;
  return meanOf(system, column, parts[0])?.mean;
}

/** A chart of quality over rate where it says something: where systems differ in a rate that they share. */
function rateAndQuality(qualities) {
  const across = columns.filter((column) => {
    const costs = RATES[column.name] ? systems.map((system) => costOf(system, column)).filter((each) => each > 0) : [];
    return Math.max(...costs) > APART * Math.min(...costs);
  });
  if (!across.length) return systems.length > 1 ? h("p", { class: "note" }, oneRate()) : null;
  const best = Math.max(0, across.findIndex((column) => column.name === page.trade_off));
  const chosen = { x: across[best], y: qualities.find((column) => column.name === "psnr_db") ?? qualities[0] };
  const place = h("div", { class: "settle" });
  const missing = h("p", { class: "note" });
  const draw = () => {
    const points = systems.flatMap((system) => {
      const x = costOf(system, chosen.x);
      const y = meanOf(system, chosen.y, parts[0]);
      return x > 0 && typeof y?.mean === "number" ? [{ system, x, y: y.mean, low: y.low ?? y.mean, high: y.high ?? y.mean }] : [];
    });
    const there = points.map(({ system }) => system);
    const absent = systems.filter((system) => !there.includes(system));
    place.replaceChildren(points.length ? scatterPlot(points, chosen, RATES[chosen.x.name]) : h("p", { class: "note" }, "No system has both figures."),
      h("div", { class: "legend" }, there.map((system) => h("span", {}, nameOf(system)))));
    missing.replaceChildren("Lines join one thing at several rates; whiskers are intervals. Bits and numbers are never on one axis.",
      ...(absent.length ? [" Not on this one: ", ...namesInText(absent, ".")] : []));
  };
  const pick = (key, list) => (number) => {
    chosen[key] = list[number];
    draw();
  };
  draw();
  return h("figure", { class: "chart" },
    h("figcaption", {}, "Rate and quality"),
    h("div", { class: "choices" },
      across.length > 1 && choice("across", across.map((column, i) => [i, RATES[column.name]]), best, pick("x", across)).element,
      choice("up", qualities.map((column, i) => [i, column.head]), qualities.indexOf(chosen.y), pick("y", qualities)).element),
    place, missing);
}

/** Why quality is not drawn against rate. */
function oneRate() {
  const costs = kinds.map((kind) => {
    const column = columnOf(kind);
    const members = systems.filter((system) => page.rates[system] === kind);
    const values = [...new Set(members.map((system) => meanOf(system, column, parts[0])).filter(Boolean).map((each) => shown(each.mean, column)))];
    return values.length ? `${values.join(" and ")} ${column.head}` : "";
  }).filter(Boolean);
  return `Quality is not drawn against rate: no two systems differ in a rate that they share${costs.length ? ` (${costs.join("; ")})` : ""}. Their figures stand side by side instead.`;
}

function scatterPlot(points, chosen, xLabel) {
  const said = ({ system, x, y, low, high }) =>
    `${system}: ${loose(x)} ${xLabel}, ${chosen.y.head} ${shown(y, chosen.y)} (${shown(low, chosen.y)} to ${shown(high, chosen.y)})`;
  return plot({
    x: logAxis(points.map((point) => point.x)),
    y: linearAxis(points.flatMap((point) => [point.y, point.low, point.high]), 5, chosen.y.times),
    xLabel,
    yLabel: `${chosen.y.head} ${ARROWS[chosen.y.better] ?? ""}`,
    height: 320,
    label: `${chosen.y.head} over ${xLabel}: ${points.map(said).join("; ")}`,
    draw: (canvas) => {
      const placed = points.map((point) => ({ ...point, left: canvas.x(point.x), top: canvas.y(point.y) }));
      for (const family of new Set(placed.map(({ system }) => page.families[system]).filter((each) => each !== undefined))) {
        const line = placed.filter(({ system }) => page.families[system] === family).toSorted((one, other) => one.x - other.x);
        const path = pathThrough(line.map(({ left, top }) => [left, top]));
        if (line.length > 1) canvas.group.append(svg("path", { class: "family", d: path }));
      }
      for (const point of placed) {
        const { left } = point;
        canvas.group.append(svg("line", { class: "whisker", x1: left, x2: left, y1: canvas.y(point.low), y2: canvas.y(point.high), style: { stroke: colourOf(point.system) } }));
      }
      for (const point of placed) canvas.group.append(pointOf(point.system, point.left, point.top, said(point)));
      canvas.group.append(...wordsBeside(placed, canvas));
    },
  }).element;
}

/** A point that tells its figures to who points at it or reaches it by keyboard. */
function pointOf(system, left, top, said) {
  const mark = svg("g", { class: "point", tabindex: 0, role: "img", "aria-label": said },
    svg("circle", { class: "reach", cx: left, cy: top, r: 12 }), marker(system, left, top));
  return explain(mark, said);
}

/** Names beside points, where there is room; the others are told by pointing. */
function wordsBeside(placed, canvas) {
  const taken = placed.map(({ left, top }) => ({ left: left - 6, right: left + 6, top: top - 6, bottom: top + 6 }));
  const clear = (box) => box.left >= MARGIN.left && box.right <= MARGIN.left + canvas.width + MARGIN.right &&
    box.top >= 0 && box.bottom <= MARGIN.top + canvas.height &&
    !taken.some((each) => box.left < each.right && each.left < box.right && box.top < each.bottom && each.top < box.bottom);
  return placed.flatMap(({ system, left, top }) => {
    const width = 6.6 * system.length;
    const tries = [[10, 4], [-10 - width, 4], [10, -9], [10, 17], [-10 - width, -9], [-10 - width, 17], [-width / 2, -13], [-width / 2, 21]];
    for (const [dx, dy] of tries) {
      const box = { left: left + dx - 1, right: left + dx + width + 1, top: top + dy - 10, bottom: top + dy + 3 };
      if (!clear(box)) continue;
      taken.push(box);
      return [svg("text", { class: "beside", x: left + dx, y: top + dy }, system)];
    }
    return [];
  });
}

// ---- Side by side: a row for each system ----------------------------------------------------------------------

/** Means with their intervals and the figure of every clip, in a panel for each of a few measures. */
function sideBySide(qualities) {
  const wanted = PANELS.map((name) => qualities.find((column) => column.name === name)).filter(Boolean);
  const first = wanted.length ? wanted : qualities.slice(0, PANELS.length);
  const said = "Dots are means over the clips, lines their intervals, small ticks single clips.";
  if (systems.length <= FEW) {
    return h("figure", { class: "chart" }, h("figcaption", {}, "Side by side"),
      h("div", { class: "panels" }, first.map((column) => panel(column))), h("p", { class: "note" }, said));
  }
  const place = h("div", { class: "panels" }, panel(first[0]));
  const pick = choice("measure", qualities.map((column, i) => [i, column.head]), qualities.indexOf(first[0]), (number) => place.replaceChildren(panel(qualities[number])));
  return h("figure", { class: "chart" }, h("figcaption", {}, "Side by side"),
    h("div", { class: "choices" }, pick.element), place, h("p", { class: "note" }, said));
}

function panel(column) {
  const found = systems.map((system) => ({
    system,
    mean: meanOf(system, column, parts[0]),
    each: clips.map((name) => figureOf(system, name, column)).filter((value) => typeof value === "number"),
  })).filter(({ mean }) => mean);
  const values = found.flatMap(({ mean, each }) => [mean.mean, mean.low, mean.high, ...each]).filter((value) => typeof value === "number");
  const x = linearAxis(values.length ? values : [0, 1], 4, column.times);
  const rows = found.map(({ system, mean, each }) => h("div", { class: "row" }, nameOf(system), track(column, x, system, mean, each),
    h("span", { class: "figure" }, shown(mean.mean, column))));
  const title = explain(h("span", { tabindex: 0 }, column.head, " ", h("span", { class: "arrow" }, ARROWS[column.better] ?? "")), about(column));
  return h("div", { class: "panel", role: "group", "aria-label": column.head }, h("p", { class: "panel-title" }, title), rows,
    h("div", { class: "row" }, h("span"), scaleOf(x), h("span")), pairNote(column));
}

/** The line of a system: a tick for every clip, the interval, and the mean. */
function track(column, x, system, mean, each) {
  const at = (value) => `${(100 * x.share(value)).toFixed(2)}%`;
  const line = (value, style) => svg("line", { ...style, x1: at(value), x2: at(value), y1: 5, y2: 15 });
  const whole = typeof mean.low === "number" && typeof mean.high === "number";
  const said = `${system}: ${column.head} ${shown(mean.mean, column)}${whole && mean.clips > 1 ? `, from ${shown(mean.low, column)} to ${shown(mean.high, column)}` : ""}`;
  const dot = typeof mean.mean !== "number" ? null
    : svg("svg", { x: at(mean.mean), y: 10, overflow: "visible", width: 1, height: 1 }, marker(system, 0, 0));
  const picture = svg("svg", { class: "track", height: 20, role: "img", "aria-label": said, tabindex: 0 },
    svg("line", { class: "grid", x1: "0%", x2: "100%", y1: 10, y2: 10 }),
    each.length > 1 && each.map((value) => line(value, { class: "clip-tick", style: { stroke: colourOf(system) } })),
    whole && svg("line", { class: "whisker", x1: at(mean.low), x2: at(mean.high), y1: 10, y2: 10, style: { stroke: colourOf(system) } }),
    dot);
  return explain(picture, said);
}

function scaleOf(x) {
  return h("div", { class: "scale-line", "aria-hidden": "true" },
    x.ticks.map((tick) => h("span", { style: { left: `${100 * x.share(tick)}%` } }, x.format(tick))));
}

/** Of two systems, in words: how often one is better, and by how much. Their clips are the same, so pairs say most. */
function pairNote(column) {
  if (systems.length !== 2 || !column.better) return null;
  const pairs = clips.map((name) => systems.map((system) => figureOf(system, name, column))).filter((pair) => pair.every((value) => typeof value === "number"));
  if (pairs.length < 2) return null;
  const [one, other] = systems;
  const wins = pairs.filter(([a, b]) => loss(a, column.better) < loss(b, column.better)).length;
  const losses = pairs.filter(([a, b]) => loss(a, column.better) > loss(b, column.better)).length;
  const [better, worse, often] = wins >= losses ? [one, other, wins] : [other, one, losses];
  return h("p", { class: "note" }, inText(better), ` is better than `, inText(worse), ` on ${often} of ${count(pairs.length, "clip")}.`);
}
