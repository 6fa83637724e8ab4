// ---- Player: a view with its controls ---------------------------------------------------------------------------

const SPEEDS_OF_PLAY = [["0.1", "0.1×"], ["0.25", "0.25×"], ["0.5", "0.5×"], ["1", "1×"], ["2", "2×"]];

const KEYS = [
  ["space", "play, pause"],
  ["← →", "a frame back, forth; with shift, ten"],
  ["[ ]", "wipe to the left, right"],
  ["h", "error, or the pictures again"],
  ["s", "side by side, or the wipe again"],
  ["1 … 9", "this system at the right"],
  ["w", "the worst frame"],
  ...(Object.values(page.motion).some((each) => each.length) ? [["m", "arrows of motion, or none"]] : []),
  ["?", "this help"],
];

/** A clip to play. Gives its element, and `seek(frame)`; `onframe(frame)` is called whenever another one is shown. */
function player(name, facts, { onframe, openHelp }) {
  const reel = new Reel(facts);
  const view = new View(reel, name);
  const arrows = new Arrows(page.motion[name] ?? [], facts);
  arrows.elements.forEach((element, i) => view.planes[i].append(element));
  const names = ["source", ...facts.systems].map((system, pane) => [pane, system]);

  // Choices
  const left = choice("left", names, 0, () => choosePanes());
  const right = choice("right", names, 1, () => choosePanes());
  const choosePanes = () => view.setPanes(Number(left.select.value), Number(right.select.value));
  const mode = choice("view", MODES, "wipe", (value) => chooseMode(value));
  const gain = choice("gain", GAINS.map((each) => [each, `${each}×`]), 4, (value) => chooseGain(Number(value)));
  const moves = arrows.layers.length
    ? choice("motion", [["", "none"], ...arrows.layers.map(({ system }) => [system, system])], "", (value) => chooseMotion(value)) : null;
  const zoom = choice("zoom", ZOOMS, "1", (value) => chooseZoom(value));
  const scale = heatScale();
  const chooseMode = (value) => {
    mode.select.value = value;
    view.setMode(value);
    gain.select.disabled = value !== "error";
    scale.element.hidden = value !== "error";
  };
  const chooseMotion = (value) => {
    moves.select.value = value;
    arrows.show(value || null);
    arrows.draw(reel.frame);
  };
  const chooseZoom = (value) => {
    zoom.select.value = value;
    view.setZoom(value);
  };
  const chooseGain = (value) => {
    view.setGain(value);
    scale.setGain(value);
  };

  // Time
  const play = iconButton("Play", ICONS.play, () => toggle());
  const back = iconButton("A frame back", ICONS.back, () => step(-1));
  const forth = iconButton("A frame forth", ICONS.forth, () => step(1));
  const scrub = h("input", {
    type: "range", min: 0, max: reel.count - 1, step: 1, value: facts.worst, "aria-label": "Frame",
    oninput: () => reel.seek(Number(scrub.value)),
  });
  const number = h("output", { class: "frame-number" });
  const speed = choice("speed", SPEEDS_OF_PLAY, "1", (value) => reel.setSpeed(Number(value)));
  const loop = h("input", { type: "checkbox", checked: true, onchange: () => reel.setLooped(loop.checked) });
  const worst = h("button", { type: "button", class: "plain", onclick: () => reel.seek(facts.worst) }, "worst frame");
  explain(worst, "The frame with the lowest PSNR, in the mean over the systems.");
  const toggle = () => (reel.playing ? reel.pause() : reel.play());
  const step = (frames) => reel.seek((reel.playing || reel.wanted < 0 ? reel.frame : reel.wanted) + frames);

  // What is known of the frame
  const truth = h("span", { class: "truth", role: "status" });
  const pixel = h("span", { class: "pixel" });
  view.onpixel = (said) => (pixel.textContent = said);
  const tellTruth = () => {
    const [kind, said] = truthOf(reel, facts);
    truth.dataset.kind = kind;
    truth.textContent = said;
  };

  reel.addEventListener("frame", () => {
    view.draw();
    arrows.draw(reel.frame);
    scrub.value = reel.frame;
    scrub.setAttribute("aria-valuetext", `frame ${reel.frame} of ${reel.count}`);
    number.textContent = `${String(reel.frame).padStart(String(reel.count - 1).length, "\u2007")} / ${reel.count - 1}`;
    tellTruth();
    onframe(reel.frame);
  });
  reel.addEventListener("checked", tellTruth);
  reel.addEventListener("state", () => {
    play.draw(reel.playing ? ICONS.pause : ICONS.play);
    play.element.setAttribute("aria-label", reel.playing ? "Pause" : "Play");
    if (reel.playing) Reel.loud?.pause();
    Reel.loud = reel.playing ? reel : null;
    tellTruth();
  });

  const keys = {
    " ": toggle,
    ArrowLeft: (event) => step(event.shiftKey ? -10 : -1),
    ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
    "[": () => view.setShare(view.share - 0.02),
    "]": () => view.setShare(view.share + 0.02),
    h: () => chooseMode(view.mode === "error" ? "wipe" : "error"),
    s: () => chooseMode(view.mode === "pair" ? "wipe" : "pair"),
    w: () => reel.seek(facts.worst),
    ...(moves && { m: () => chooseMotion(moves.select.value ? "" : arrows.layers[0].system) }),
    "?": openHelp,
  };
  facts.systems.slice(0, 9).forEach((_, i) => {
    keys[i + 1] = () => {
      right.select.value = i + 1;
      choosePanes();
    };
  });

  const element = h("div", {
    class: "player", tabindex: 0, role: "group", "aria-label": `Player of ${name}. Press ? for keys.`,
    onkeydown: (event) => {
      // Letters and arrows mean something to a select, a space to a button; they keep their meaning.
      const own = event.target.matches("select") || (event.key === " " && event.target.matches("button, input")) || (event.key.startsWith("Arrow") && event.target.matches("input"));
      const act = keys[event.key];
      if (!act || own || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(event);
    },
  },
    h("div", { class: "choices" }, left.element, right.element, mode.element, gain.element, zoom.element, moves?.element),
    view.element,
    h("div", { class: "time" }, back.element, play.element, forth.element, scrub, number),
    h("div", { class: "choices" }, speed.element, h("label", { class: "choice" }, loop, h("span", {}, "loop")), worst, scale.element),
    h("div", { class: "known" }, truth, arrows.words, pixel),
    facts.film === null && h("p", { class: "note" }, "There was no room for its film, only for its worst frame: “tubelet report … --budget” gives more."),
    [...facts.notes, ...arrows.notes].map((note) => h("p", { class: "note" }, note)));

  choosePanes();
  chooseMode("wipe");
  view.setShare(0.5);
  chooseGain(4);
  reel.open().then(() => {
    // Without a film there is nothing to move to.
    for (const control of [play.element, back.element, forth.element, scrub, speed.select, loop]) control.disabled = !reel.video;
  });
  // Pictures are as large as they are; one that has no room is shrunk until somebody asks for its own size.
  const settle = () => chooseZoom(view.hasRoom ? "1" : "fit");
  return { element, settle, seek: (frame) => reel.seek(frame), pause: () => reel.pause() };
}

/** What can be promised of the frame that is shown: a kind for the style, and a sentence. */
function truthOf(reel, facts) {
  if (reel.trouble && reel.exact === null) return ["bad", reel.trouble];
  if (reel.playing) return facts.lossless ? ["exact", "lossless"] : ["lossy", "lossy: colours may be off by several levels"];
  if (reel.exact === null) return ["open", "looking at every pixel …"];
  if (reel.exact) return ["exact", facts.lossless ? "lossless: every pixel of this frame was checked" : "exact: every pixel of this still was checked"];
  if (facts.lossless) return ["bad", "this browser changes colours or frames: do not trust pixels here"];
  return ["lossy", `lossy: colours may be off by several levels; the still of frame ${facts.worst} is exact`];
}

/** What the colours of errors mean. */
function heatScale() {
  const canvas = h("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(256, 1);
  image.data.set(HEAT.bytes);
  context.putImageData(image, 0, 0);
  const most = h("span");
  return {
    element: h("span", { class: "scale", hidden: true }, "0", canvas, most),
    setGain: (gain) => (most.textContent = `${gain === 1 ? "" : "≥ "}${Math.ceil(255 / gain)} levels, the largest of red, green, blue`),
  };
}
