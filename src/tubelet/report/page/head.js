// ---- Head: what was measured, how, and on what ----------------------------------------------------------------

/** The bar at the top, which stays: where one is, the light, and help. */
function topBar(openHelp) {
  const places = { summary: "Summary", comparison: "Comparison", clips: "Clips", circumstances: "How" };
  const links = Object.entries(places).map(([id, word]) => h("a", { href: `#${id}` }, word));
  const theme = iconButton("Light or dark", ICONS.theme, switchTheme, { id: "theme" });
  const help = h("button", { type: "button", class: "icon", "aria-label": "Help: keys", onclick: openHelp }, "?");
  return h("header", { class: "bar" },
    h("div", { class: "wide" },
      h("a", { class: "brand", href: "#top" }, "tubelet"), h("nav", { "aria-label": "Parts of the report" }, links),
      h("span", { class: "gap" }), theme.element, help));
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

/** Title and protocol: no figure stands without it. */
function heading() {
  const [name, rest] = split(page.protocol, ": ");
  const made = page.circumstances.date?.slice(0, 10);
  return h("section", { class: "heading", id: "top" },
    h("p", { class: "over" }, "Evaluation", made ? ` of ${made}` : ""),
    h("h1", {}, breakable(page.title)),
    h("p", { class: "lead" }, `${count(clips.length, "clip")}`, page.title === figures.data ? "" : [" of ", inText(figures.data, ",")], page.title === figures.data ? ", " : " ", count(systems.length, "system")),
    h("p", { class: "protocol" }, h("b", {}, "Protocol "), h("code", {}, name), rest ? ` ${rest}` : ""));
}

/** A text whose long words end a line at their own marks, where they must. */
function breakable(whole) {
  return whole.split(/(?<=[\/_.,:@=-])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}

/** A word of code: no line ends within it, unless it is longer than a line. */
const codeOf = (word) => h("code", { class: "whole" }, breakable(word));

const commandOf = (words) => words.split(" ").flatMap((word, place) => [place ? " " : "", codeOf(word)]);

/** A text before and after the first of a mark; all of it before, where the mark is missing. */
function split(whole, mark) {
  const place = whole.indexOf(mark);
  return place < 0 ? [whole, ""] : [whole.slice(0, place), whole.slice(place + mark.length)];
}

/** Where, when and with what it was measured, and by whom the page was made. */
function circumstances() {
  const { command, date, commit, machine = {}, versions = {} } = page.circumstances;
  const listed = (each) => Object.entries(each ?? {}).filter(([, value]) => value).map(([key, value]) => `${key} ${value}`).join(", ");
  const run = figures.run ?? {};
  const ways = figures.intervals ?? {};
  const rows = [
    ["Command", command ? commandOf(command) : "unknown"],
    ["Date", date?.replace("T", " ") ?? "unknown"],
    ["Commit", codeOf(commit ?? "unknown")],
    ["Machine", [machine.cpu, machine.cores && count(machine.cores, "core"), machine.system].filter(Boolean).join(", ")],
    ["At work", `${count(run.workers ?? 1, "process").replace(/processs$/, "processes")} of ${count(run.threads ?? 1, "thread")}`],
    ["Versions", listed({ ...versions, ...figures.versions })],
    ["Intervals", `${ways.way}: the middle ${Math.round(100 * ways.level)} % of the means of ${ways.resamples} samples of the clips, seed ${ways.seed}`],
    ["Weights", listed(figures.weights) || "none: measures that need weights are absent"],
    ["Page", `made by ${page.made_by} from results.json and the kept videos; nothing was measured again`],
  ];
  return h("section", { id: "circumstances" }, h("h2", {}, "How it was measured"),
    h("dl", { class: "facts" }, rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])),
    h("h3", {}, "Systems"),
    h("div", { class: "who" }, systems.map((system) => {
      const { kind, ...facts } = figures.systems[system].facts;
      return h("div", { class: "who-row" }, nameOf(system),
        h("p", { class: "small" }, h("span", { class: "fact" }, "kind ", codeOf(kind)), " ", Object.entries(facts).flatMap(([key, value]) =>
          [h("span", { class: "fact" }, `${key.replaceAll("_", " ")} `, codeOf(shortFact(value))), " "])));
    })));
}

/** A fact of a system as one word; checksums are known by their beginning. */
function shortFact(value) {
  const word = typeof value === "string" ? value : JSON.stringify(value).replaceAll(/[,:](?=\S)/g, "$& ");
  return /^[0-9a-f]{40,}$/.test(word) ? `${word.slice(0, 12)}…` : word;
}
