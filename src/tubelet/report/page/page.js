// ---- The page -------------------------------------------------------------------------------------------------

const help = h("dialog", { "aria-labelledby": "help-title" },
  h("h2", { id: "help-title" }, "Keys of a player"),
  h("dl", { class: "keys" }, KEYS.map(([key, what]) => [h("dt", {}, key.split(" ").map((each) => (each === "…" ? " … " : h("kbd", {}, each)))), h("dd", {}, what)])),
  h("p", { class: "note" },
    "They work in the player that has the focus: click it, or reach it with Tab. Drag the line in a picture, or click " +
    "where it shall be; a picture that is larger than its window is dragged by anything but the line. A click on a " +
    "curve shows its frame."),
  h("button", { type: "button", class: "plain", onclick: () => help.close() }, "Close"));

const openHelp = () => help.showModal();

document.body.append(
  topBar(openHelp),
  h("main", { class: "wide" }, heading(), summary(), comparison(), clipList(openHelp), circumstances()),
  help,
  bubble,
);

fits.forEach((fit) => fit());
