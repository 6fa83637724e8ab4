// ---- Clips, the worst first -------------------------------------------------------------------------------------

const qualityColumns = columns.filter((column) => column.better && column.group !== "drift_psnr_db" &&
  systems.some((system) => clips.some((name) => figureOf(system, name, column) !== undefined)));
const mainColumn = columnOf("psnr_db") ?? qualityColumns[0];

/** The mean over the systems of a column's loss on a clip: what is largest is worst. Undefined where no system has one. */
function meanLoss(name, column, among = systems) {
  const found = among.map((system) => figureOf(system, name, column)).filter((value) => value !== undefined);
  return found.length ? found.reduce((sum, value) => sum + loss(value, column.better), 0) / found.length : undefined;
}

/** The ways to order clips: what they are called, and a function from names to the same in order. */
const orders = (() => {
  // Array.sort keeps the order of equals: those of the results.
  const worst = (column, among) => (names) => {
    const losses = new Map(names.map((name) => [name, meanLoss(name, column, among) ?? -Infinity]));
    return names.toSorted((one, other) => {
      const [a, b] = [losses.get(one), losses.get(other)];
      return a === b ? 0 : b - a;
    });
  };
  const ways = [];
  if (mainColumn) {
    ways.push([`worst first (mean ${mainColumn.head})`, worst(mainColumn)]);
    for (const system of systems.length > 1 ? systems : []) ways.push([`worst of ${system} (${mainColumn.head})`, worst(mainColumn, [system])]);
  }
  for (const column of qualityColumns) {
    if (column !== mainColumn) ways.push([`worst by ${column.head} (${titleOf(column.group)})`, worst(column)]);
  }
  ways.push(["by name", (names) => names.toSorted((one, other) => one.localeCompare(other, "en"))]);
  return ways;
})();

function clipList(openHelp) {
  const entries = new Map(clips.map((name) => [name, clipEntry(name, openHelp)]));
  const list = h("div", { class: "clips" });
  const chosen = { order: 0, part: parts[0] };
  const draw = () => {
    const { tag, value } = chosen.part;
    const names = clips.filter((name) => tag === null || figures.clips[name].tags?.[tag] === value);
    const sorted = orders[chosen.order][1](names);
    list.replaceChildren(...sorted.map((name) => entries.get(name).element));
    return sorted;
  };
  const order = choice("order", orders.map(([title], i) => [i, title]), 0, (i) => {
    chosen.order = Number(i);
    draw();
  }, { id: "order" });
  const filter = choice("show", parts.map((part, i) => [i, part.label]), 0, (i) => {
    chosen.part = parts[i];
    draw();
  });
  // The first clip that can be played is open; one that is not there leaves the first.
  const sorted = draw();
  const first = sorted.find((name) => page.players[name]?.systems) ?? sorted[0];
  if (first !== undefined) entries.get(first).open();
  return h("section", { id: "clips" },
    h("div", { class: "title" }, h("h2", {}, "Clips"), order.element, parts.length > 1 && filter.element),
    playedNote(), list);
}

/** How many clips can be played, and how. */
function playedNote() {
  const all = Object.values(page.players);
  if (!all.length) return h("p", { class: "note" }, "No videos were kept: “tubelet evaluate … --keep-videos N” keeps those of the N worst clips.");
  const lossless = all.filter((each) => each.lossless).length;
  const lossy = all.filter((each) => each.systems && !each.lossless).length;
  const kinds = [
    [lossless, "without the loss of a single level"],
    [lossy, "as a film that looks alike, with one still that is exact"],
    [clips.length - lossless - lossy, "with figures alone"],
  ];
  const said = kinds.filter(([number]) => number).map(([number, how]) => `${count(number, "clip")} ${how}`).join("; ");
  return h("p", { class: "note" }, `${said}. Keys work in a player that has the focus; ? lists them.`);
}

/** A clip in the list. What is in it is made when it is opened first. */
function clipEntry(name, openHelp) {
  const facts = figures.clips[name];
  const details = h("details", { class: "clip" });
  let body = null;
  const open = () => {
    details.open = true;
    if (body) return;
    body = clipBody(name, openHelp);
    details.append(body.element);
    // Sizes are known once it lies on the page.
    requestAnimationFrame(body.settle);
  };
  const size = facts.frames ? `${facts.frames} × ${facts.width}×${facts.height}` : "not read";
  const head = h("summary", {},
    h("span", { class: "clip-name" }, wordOf(name)),
    h("span", { class: "tags" }, Object.entries(facts.tags ?? {}).map(([tag, value]) => h("span", { class: "pill" }, tag === "kind" ? value : `${tag} ${value}`)), playerPill(name)),
    h("span", { class: "size" }, size),
    h("span", { class: "scores" }, mainColumn && (systems.length > FEW ? scoreRange(name) : systems.map((system) => score(system, name)))));
  details.append(head);
  details.addEventListener("toggle", () => (details.open ? open() : body?.pause()));
  return { element: details, open };
}

function playerPill(name) {
  const facts = page.players[name];
  if (!facts) return null;
  if (!facts.systems) return h("span", { class: "pill quiet" }, "not shown");
  return h("span", { class: "pill film" }, facts.lossless ? "▶ lossless" : facts.film === null ? "still" : "▶ lossy");
}

function score(system, name) {
  const value = figureOf(system, name, mainColumn);
  const mark = h("span", { class: "score" }, signOf(system),
    value === undefined ? "-" : shown(value, mainColumn));
  return explain(mark, `${system}: ${value === undefined ? whyAbsent(system, mainColumn, [name]) : `${shown(value, mainColumn)} ${mainColumn.head}`}`);
}

/** From the worst to the best of many systems. */
function scoreRange(name) {
  const values = systems.map((system) => figureOf(system, name, mainColumn)).filter((value) => value !== undefined)
    .toSorted((one, other) => loss(other, mainColumn.better) - loss(one, mainColumn.better) || 0);
  if (!values.length) return "-";
  return explain(h("span", {}, `${shown(values[0], mainColumn)} to ${shown(values.at(-1), mainColumn)}`), `${mainColumn.head}: the worst and the best of ${count(systems.length, "system")}`);
}

function clipBody(name, openHelp) {
  const facts = page.players[name];
  const charts = chartsOf(name, (frame) => (film ? film.seek(frame) : point(frame)));
  const point = (frame) => charts.forEach((chart) => chart.setCursor(frame));
  const film = facts?.systems ? player(name, facts, { onframe: point, openHelp }) : null;
  const element = h("div", { class: "clip-body" },
    film?.element,
    facts?.why && h("p", { class: "missing" }, `No player: ${facts.why}`),
    charts.length > 0 && h("div", { class: "charts" }, charts.map((chart) => chart.element)),
    figureTable(clipColumns(name), (system, column) => clipCell(system, column, name), { caption: `Figures of ${name}` }),
    failures.filter((failure) => failure.name === name).flatMap(({ systems: those, error }) => those.map((system) => h("p", { class: "missing" }, inText(system), ` failed: ${error}`))),
    (figures.clips[name].warnings ?? []).map((warning) => h("p", { class: "note" }, `Read with a warning: ${warning}`)),
    pictures(name));
  return { element, pause: () => film?.pause(), settle: () => film?.settle() };
}

/** A chart for each measure that has a value for each frame. */
function chartsOf(name, onpick) {
  const found = systems.map((system) => [system, figures.systems[system].clips[name]?.curves ?? {}]);
  const names = [...new Set(found.flatMap(([, each]) => Object.keys(each)))];
  const longest = Math.max(0, ...found.flatMap(([, each]) => Object.values(each).map((values) => values.length)));
  // Beyond the clip's own frames, curves go through the filling of the last window.
  const frames = figures.clips[name].frames ?? longest;
  return names.map((measure) => {
    const column = columnOf(measure) ?? { head: measure, digits: null, times: 1, better: "", says: "" };
    const lines = found.filter(([, each]) => each[measure]).map(([system, each]) => [system, each[measure]]);
    return curves({ column, lines, frames, onpick });
  });
}

const clipColumns = (name) => withRate(columns.filter((column) => systems.some((system) => figureOf(system, name, column) !== undefined)));

function clipCell(system, column, name) {
  const value = figureOf(system, name, column);
  if (value === undefined) return { value, text: "-", why: whyAbsent(system, column, [name]) };
  return { value, text: shown(value, column) };
}
