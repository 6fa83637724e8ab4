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
  speed: "speed",
};

/** What figures are that no measure describes. */
const SAYS = {
  pooled_psnr_db: "PSNR from the squared error of all samples of all clips together.",
  bits_per_pixel: "Bytes on disk, side information and headers included, in bits over all pixels of all frames.",
  nominal_bits_per_pixel: "Bits of the tokens if each took log2 of its codebook, over all pixels; not what a file takes.",
  entropy_bits_per_pixel: "Zeroth-order entropy of the symbols, over all pixels; not what a file takes.",
  numbers_per_pixel: "Numbers in the latent, over all pixels. Numbers are no bits.",
  megapixels_per_second_encode: "Pixels of all clips over the time that encoding them took.",
  megapixels_per_second_decode: "Pixels of all clips over the time that decoding them took.",
};

const BETTER = { more: "More is better.", less: "Less is better.", 0: "Nearer to 0 is better.", 1: "Nearer to 1 is better." };
const ARROWS = { more: "↑", less: "↓", 0: "→ 0", 1: "→ 1" };

// ---- Systems look the same wherever they are drawn ------------------------------------------------------------

const SHADES = 8;
const colourOf = (system) => `var(--system-${systems.indexOf(system) % SHADES})`;
/** Lines of systems beyond the eighth are dashed, since colours begin again. */
const dashOf = (system) => (systems.indexOf(system) < SHADES ? null : "5 3");

/** A coloured dot and a name. */
function nameOf(system) {
  const dot = h("span", { class: "dot", style: { background: colourOf(system) } });
  return h("span", { class: "system" }, dot, h("span", { class: "word" }, system));
}

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

/** All columns that there are: those that html.py knows, and measures that it does not know, in their groups. */
const columns = (() => {
  const known = page.columns.map((column) => ({
    ...column,
    better: measures[column.measure || column.name]?.better ?? "",
    says: SAYS[column.name] ?? measures[column.measure || column.name]?.says ?? "",
  }));
  const names = new Set(known.map((column) => column.name));
  const unknown = Object.entries(measures).filter(([name]) => !names.has(name)).map(([name, about]) => ({
    group: about.group, name, head: name.replaceAll("_", " "), digits: null, times: 1, better: about.better, says: about.says,
  }));
  const groups = [...new Set([...Object.keys(GROUP_TITLES), ...unknown.map((column) => column.group)])];
  return groups.flatMap((group) => [...known, ...unknown].filter((column) => column.group === group));
})();

const titleOf = (group) => GROUP_TITLES[group] ?? String(group).replaceAll("_", " ");
const columnOf = (name) => columns.find((column) => column.name === name);

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
      const number = clips.filter((name) => figures.clips[name].tags[tag] === value).length;
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
  const found = summaryOf(system, part)[column.group]?.[column.name];
  if (found === undefined || (found === null && column.group === "speed")) return undefined;
  return column.group === "speed" ? { mean: found } : found;
}

/** The figure of a system on a clip; undefined where it was not measured. */
function figureOf(system, name, column) {
  const found = figures.systems[system].clips[name];
  if (!found || found.error !== undefined) return undefined;
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
