// ---- What was found -----------------------------------------------------------------------------------------

const page = JSON.parse(document.getElementById("data").textContent);
const figures = page.figures;
const systems = Object.keys(figures.systems);
const clips = Object.keys(figures.clips);
const measures = figures.measures;

const GROUP_TITLES = {
  detail: "detail",
  temporal_consistency: "temporal consistency",
  motion_fidelity: "motion fidelity",
  seams: "seams",
  drift_psnr_db: "drift",
  rate: "rate",
  speed: "speed, no benchmark",
};

/** What figures are that no measure describes. */
const SAYS = {
  pooled_psnr_db: "PSNR from the squared error of all samples of all clips together.",
  bits_per_pixel: "Bytes on disk, side information and headers included, in bits over all pixels of all frames.",
  nominal_bits_per_pixel: "Bits of the tokens if each took log2 of its codebook, over all pixels; not what a file takes.",
  entropy_bits_per_pixel: "Zeroth-order entropy of the symbols, over all pixels; not what a file takes.",
  numbers_per_pixel: "Numbers in the latent, over all pixels. Numbers are no bits.",
  megapixels_per_second_encode: "Pixels of all clips over the time that encoding them took in this evaluation. That is no benchmark: whatever else the machine did is in it.",
  megapixels_per_second_decode: "Pixels of all clips over the time that decoding them took in this evaluation. That is no benchmark: whatever else the machine did is in it.",
};

const BETTER = { more: "More is better.", less: "Less is better.", 0: "Nearer to 0 is better.", 1: "Nearer to 1 is better." };
const ARROWS = { more: "↑", less: "↓", 0: "→\u00a00", 1: "→\u00a01" };

// ---- Systems look the same wherever they are drawn ------------------------------------------------------------

const SHADES = 8;
const colourOf = (system) => `var(--system-${systems.indexOf(system) % SHADES})`;
/** Lines of systems beyond the eighth are dashed, since colours begin again. */
const dashOf = (system) => (systems.indexOf(system) < SHADES ? null : "5 3");

const SHAPES = [
  "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
  "M-4-4h8v8h-8z",
  "M0-5.2l5 8.6h-10z",
  "M0-5.6l5.6 5.6l-5.6 5.6l-5.6-5.6z",
  "M0 5.2l5-8.6h-10z",
  "M-1.6-5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
  "M-3.6-5l3.6 3.6l3.6-3.6l1.4 1.4l-3.6 3.6l3.6 3.6l-1.4 1.4l-3.6-3.6l-3.6 3.6l-1.4-1.4l3.6-3.6l-3.6-3.6z",
  "M0-6l1.6 4.4h4.4l-3.6 2.8l1.4 4.6l-3.8-2.8l-3.8 2.8l1.4-4.6l-3.6-2.8h4.4z",
];

/** The sign of a system around a place: its colour and a shape; when colours begin again, they come with other shapes. */
function marker(system, x, y) {
  const number = systems.indexOf(system);
  const shape = SHAPES[(number + Math.floor(number / SHADES)) % SHAPES.length];
  return svg("path", { class: "marker", d: shape, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, style: { fill: colourOf(system) } });
}

const signOf = (system) => svg("svg", { class: "sign", viewBox: "-6.5 -6.5 13 13", width: 12, height: 12, "aria-hidden": "true" }, marker(system, 0, 0));

/** The end of a long name, which stays when there is no room: most names of systems differ there. */
const TAIL = 11;

/**
 * A name in one line. Where there is no room its middle is left out, and all of it is shown to who points at it or
 * reaches it by keyboard.
 */
function wordOf(name) {
  const letters = [...name];
  const end = letters.length > 2 * TAIL ? TAIL : Math.floor(letters.length / 2);
  const start = h("span", { class: "start" }, letters.slice(0, letters.length - end).join(""));
  const word = h("span", { class: "word", style: { "--tail": `${end}ch` } }, start, letters.slice(letters.length - end).join(""));
  cuts.observe(start);
  return explain(word, () => (isCut(start) ? name : ""));
}

const isCut = (start) => start.scrollWidth > start.clientWidth + 1;

/** Only names that are cut can be reached by keyboard; of the others there is nothing to tell. */
const cuts = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (isCut(target)) target.parentElement.setAttribute("tabindex", 0);
    else target.parentElement.removeAttribute("tabindex");
  }
});

/** A sign and a name. */
function nameOf(system) {
  return h("span", { class: "system" }, signOf(system), wordOf(system));
}

/** A name inside a sentence, with what follows it. */
const inText = (name, after = "") => h("span", { class: "in-text" }, wordOf(name), after);

/** Names inside a sentence, with commas between and a mark after the last. */
const namesInText = (names, end = "") => names.flatMap((name, place) =>
  place < names.length - 1 ? [inText(name, ","), " "] : [inText(name, end)]);

// ---- Figures as texts ---------------------------------------------------------------------------------------

/** A figure: null is infinite, and what is no number was not measured. */
function text(value, digits) {
  if (value === null) return "∞";
  if (typeof value !== "number") return "-";
  return value.toFixed(digits).replace("-", "−");
}

/** As many digits as a figure of unknown size needs. */
function loose(value) {
  return typeof value === "number" ? Number(value.toPrecision(4)).toString().replace("-", "−") : text(value, 0);
}

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** What a figure counts as where less is better: the order of the best, and of the worst. */
function loss(value, better) {
  const number = value === null ? Infinity : value;
  return { more: -number, less: number, 0: Math.abs(number), 1: Math.abs(number - 1) }[better] ?? number;
}

// ---- Columns ------------------------------------------------------------------------------------------------

/** All columns that there are, in their groups. */
const columns = (() => {
  const known = page.columns.map((column) => ({
    ...column,
    better: measures[column.measure || column.name]?.better ?? "",
    says: SAYS[column.name] ?? measures[column.measure || column.name]?.says ?? "",
  }));
  const groups = [...new Set([...Object.keys(GROUP_TITLES), ...known.map((column) => column.group)])];
  return groups.flatMap((group) => known.filter((column) => column.group === group));
})();

const titleOf = (group) => GROUP_TITLES[group] ?? String(group).replaceAll("_", " ");
const columnOf = (name) => columns.find((column) => column.name === name);

/** Systems whose rates can be compared: in bits, or in numbers. Those of one kind are rows of one part of a table. */
const kinds = [...new Set(systems.map((system) => page.rates[system]))];
const KIND_TITLES = { bits_per_pixel: "Through a file: the rate is in bits per pixel, on disk", numbers_per_pixel: "Latents as they are: the rate is in numbers per pixel" };

/** What each system costs, in its own unit; the unit stands in the head if it is one for all. */
const RATE = {
  ...columnOf("bits_per_pixel"),
  name: "rate",
  head: kinds.length === 1 ? columnOf(kinds[0]).head : "rate",
  says: kinds.map((kind) => SAYS[kind]).join(" "),
};
const rateOf = (system) => columnOf(page.rates[system]);

/** A figure as its column shows it. */
function shown(value, column) {
  if (value === null || value === undefined || column.digits === null) return loose(value);
  return text(value * column.times, column.digits);
}

/** All that must be known of a column. */
function about(column) {
  const times = column.times === 1 ? "" : ` Shown times ${column.times.toLocaleString("en")}.`;
  return [`${column.says.replace(/\.$/, "")}.`, BETTER[column.better] ?? "", times].join(" ").trim();
}

// ---- Summaries and clips ------------------------------------------------------------------------------------

/** Every value of every tag that a clip has; the first stands for all clips. */
const parts = [{ tag: null, value: null, label: `all ${count(clips.length, "clip")}` }];
for (const system of systems) {
  for (const [tag, values] of Object.entries(figures.systems[system].summary.by_tag)) {
    for (const value of Object.keys(values)) {
      if (parts.some((part) => part.tag === tag && part.value === value)) continue;
      const number = clips.filter((name) => figures.clips[name].tags?.[tag] === value).length;
      parts.push({ tag, value, label: `${tag} ${value} (${number})` });
    }
  }
}

function summaryOf(system, part) {
  const { all, by_tag } = figures.systems[system].summary;
  return (part.tag === null ? all : by_tag[part.tag]?.[part.value]) ?? {};
}

/** A mean with its interval: an object with mean, low, high and clips; undefined where nothing was measured. */
function meanOf(system, column, part) {
  if (column === RATE) return meanOf(system, rateOf(system), part);
  const found = summaryOf(system, part)[column.group]?.[column.name];
  if (found === undefined || (found === null && column.group === "speed")) return undefined;
  return column.group === "speed" ? { mean: found } : found;
}

/** Which systems are the best of a column, among those of the same rate. */
function bestOf(column, part) {
  const found = page.best.find(({ tag, value }) => tag === part.tag && value === part.value);
  return found?.columns[`${column.group} ${column.name}`] ?? [];
}

/** The figure of a system on a clip; undefined where it was not measured. */
function figureOf(system, name, column) {
  const found = figures.systems[system].clips[name];
  if (!found || found.error !== undefined) return undefined;
  if (column === RATE) return found.rate[page.rates[system]];
  if (column.group === "rate") return found.rate[column.name];
  if (column.group === "drift_psnr_db") return found.drift_psnr_db?.[column.name];
  if (column.group === "speed") {
    const seconds = found[column.name.replace("megapixels_per_second", "seconds")];
    return seconds ? found.pixels / seconds / 1e6 : undefined;
  }
  return found.figures[column.name];
}

/** Why a system has no figure in a column, of one clip or of all of them. */
function whyAbsent(system, column, names = clips) {
  const found = names.map((name) => figures.systems[system].clips[name]).filter(Boolean);
  const reasons = found.map((clip) => clip.error ?? clip.absent?.[column.name]).filter(Boolean);
  if (reasons.length) return [...new Set(reasons)].slice(0, 3).join(" ");
  return `Nothing of this kind was measured of ${system}.`;
}

/** What failed: clips that systems have an error for, and which systems those are. */
const failures = [];
for (const system of systems) {
  for (const [name, { error }] of Object.entries(figures.systems[system].clips)) {
    const known = failures.find((each) => each.name === name && each.error === error);
    if (known) known.systems.push(system);
    else if (error !== undefined) failures.push({ name, error, systems: [system] });
  }
}
