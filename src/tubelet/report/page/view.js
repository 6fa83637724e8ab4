// ---- View: how two panes of a reel are looked at ----------------------------------------------------------------

const MODES = [["wipe", "wipe"], ["pair", "side by side"], ["error", "error"]];
const GAINS = [1, 2, 4, 8, 16, 32];
const ZOOMS = [["1", "own size"], ["2", "2×"], ["4", "4×"], ["8", "8×"], ["fit", "fit"]];

/**
 * Colours of errors from 0 to 255: black at none, then growing evenly in lightness through violet, red and yellow.
 *
 * Made in OKLab (Ottosson 2020), in which equal steps look equal.
 */
const HEAT = (() => {
  const colour = (share) => {
    if (share === 0) return [0, 0, 0];
    const lightness = 0.16 + 0.8 * share;
    const hue = ((-75 + 185 * share) * Math.PI) / 180;
    const strength = 0.2 * Math.sin(Math.PI * (0.12 + 0.8 * share));
    const [a, b] = [strength * Math.cos(hue), strength * Math.sin(hue)];
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    const linear = [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
    return linear.map((each) => {
      const level = Math.max(0, Math.min(1, each));
      return Math.round(255 * (level <= 0.0031308 ? 12.92 * level : 1.055 * level ** (1 / 2.4) - 0.055));
    });
  };
  // Red, green, blue and opacity in the order of the bytes of a picture, whatever the order of the machine.
  const bytes = new Uint8ClampedArray(Array.from({ length: 256 }, (_, level) => [...colour(level / 255), 255]).flat());
  return { bytes, words: new Uint32Array(bytes.buffer) };
})();

/** Two panes of a reel on the screen: under a wipe, side by side, or as their error. */
class View {
  constructor(reel, name) {
    this.reel = reel;
    const { width, height } = reel.player;
    this.panes = [0, 1];
    this.mode = "wipe";
    this.gain = 4;
    this.share = 0.5;
    this.names = [h("span", { class: "pane-name" }), h("span", { class: "pane-name" })];
    this.canvases = [0, 1].map(() => h("canvas", { width, height }));
    this.contexts = this.canvases.map((canvas) => canvas.getContext("2d", { willReadFrequently: true }));
    this.handle = h("div", {
      class: "handle", tabindex: 0, role: "slider", "aria-label": "Wipe", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-orientation": "horizontal", onkeydown: (event) => this.slide(event),
    });
    this.planes = [h("div", { class: "plane" }, this.canvases[0], this.handle), h("div", { class: "plane" }, this.canvases[1])];
    this.windows = this.planes.map((plane, i) => h("div", { class: "window" }, h("div", { class: "pane-names" }, this.names[i]), h("div", { class: "pan" }, plane)));
    this.pans = this.windows.map((window) => window.lastChild);
    this.element = h("div", {
      class: "stage", role: "group", "aria-label": `Pictures of ${name}`,
      style: { "--ratio": `${width} / ${height}`, "--shape": width / height, "--columns": width },
    }, this.windows);
    this.point();
    this.setZoom("1");
    this.setMode("wipe");
  }

  // ---- What is chosen

  setPanes(left, right) {
    this.panes = [left, right];
    this.panes.forEach((pane, i) => this.names[i].replaceChildren(pane === 0 ? "source" : nameOf(this.reel.player.systems[pane - 1])));
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.element.dataset.mode = mode;
    // Under a wipe both names belong to the one window.
    this.windows[mode === "pair" ? 1 : 0].firstChild.append(this.names[1]);
    this.handle.hidden = mode !== "wipe";
    this.draw();
  }

  setGain(gain) {
    this.gain = gain;
    this.draw();
  }

  /** Whether a picture at its own size has room in its window, so that nothing of it is hidden. */
  get hasRoom() {
    return this.pans[0].clientWidth >= this.reel.player.width && this.pans[0].clientHeight >= this.reel.player.height;
  }

  setZoom(zoom) {
    this.zoom = zoom;
    this.element.dataset.zoom = zoom;
    this.element.style.setProperty("--zoom", zoom === "fit" ? 1 : zoom);
  }

  /** Put the wipe at a share of the width, on a border between pixels. */
  setShare(share) {
    const { width } = this.reel.player;
    this.share = Math.max(0, Math.min(1, Math.round(share * width) / width));
    this.handle.style.left = `${100 * this.share}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.share));
    this.draw();
  }

  // ---- What is drawn

  draw() {
    if (this.reel.frame < 0) return;
    const { width } = this.reel.player;
    if (this.mode === "error") return void this.drawError();
    if (this.mode === "pair") return void this.panes.forEach((pane, i) => this.copy(i, pane, 0, width));
    const border = Math.round(this.share * width);
    this.copy(0, this.panes[0], 0, border);
    this.copy(0, this.panes[1], border, width);
  }

  /** Copy some columns of a pane, pixel by pixel. */
  copy(canvas, pane, from, to) {
    if (from === to) return;
    const [left, top] = this.reel.corner(pane);
    const { height } = this.reel.player;
    this.contexts[canvas].drawImage(this.reel.stack, left + from, top, to - from, height, from, 0, to - from, height);
  }

  pixels(pane) {
    const { width, height } = this.reel.player;
    return this.reel.context.getImageData(...this.reel.corner(pane), width, height);
  }

  /** The largest difference of the three colours, times the gain, as heat. */
  drawError() {
    const image = this.pixels(this.panes[0]);
    const one = image.data;
    const other = this.pixels(this.panes[1]).data;
    const words = new Uint32Array(one.buffer);
    for (let i = 0, k = 0; i < one.length; i += 4, k++) {
      const error = Math.max(Math.abs(one[i] - other[i]), Math.abs(one[i + 1] - other[i + 1]), Math.abs(one[i + 2] - other[i + 2]));
      words[k] = HEAT.words[Math.min(255, error * this.gain)];
    }
    this.contexts[0].putImageData(image, 0, 0);
  }

  // ---- What the pointer does

  point() {
    for (const [i, plane] of this.planes.entries()) {
      plane.addEventListener("pointerdown", (event) => this.grasp(event, this.pans[i], plane));
      plane.addEventListener("pointermove", (event) => this.tellPixel(event, plane));
      plane.addEventListener("pointerleave", () => this.onpixel?.(""));
      this.pans[i].addEventListener("scroll", () => this.alike(i), { passive: true });
    }
  }

  /** Drag the wipe; where a picture is larger than its window, drag the picture, unless the handle was taken. */
  grasp(event, pan, plane) {
    if (event.button !== 0) return;
    const wiping = this.mode === "wipe" && (event.target === this.handle || this.zoom === "fit");
    const start = { x: event.clientX + pan.scrollLeft, y: event.clientY + pan.scrollTop };
    const drag = (move) => {
      const box = plane.getBoundingClientRect();
      if (wiping) this.setShare((move.clientX - box.left) / box.width);
      else if (this.zoom !== "fit") pan.scrollTo(start.x - move.clientX, start.y - move.clientY);
    };
    plane.setPointerCapture(event.pointerId);
    plane.addEventListener("pointermove", drag);
    plane.addEventListener("pointerup", () => plane.removeEventListener("pointermove", drag), { once: true });
    plane.addEventListener("pointercancel", () => plane.removeEventListener("pointermove", drag), { once: true });
    if (wiping) drag(event);
  }

  /** Two windows look at the same part of the picture. */
  alike(i) {
    const [here, there] = [this.pans[i], this.pans[1 - i]];
    if (there.scrollLeft !== here.scrollLeft || there.scrollTop !== here.scrollTop) there.scrollTo(here.scrollLeft, here.scrollTop);
  }

  tellPixel(event, plane) {
    if (!this.onpixel || this.reel.frame < 0) return;
    const { width, height } = this.reel.player;
    const box = plane.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * height);
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const levels = this.panes.map((pane) => {
      const [left, top] = this.reel.corner(pane);
      return [...this.reel.context.getImageData(left + x, top + y, 1, 1).data.slice(0, 3)];
    });
    const error = Math.max(...levels[0].map((level, i) => Math.abs(level - levels[1][i])));
    this.onpixel(`column ${x}, row ${y}: left ${levels[0].join(" ")}, right ${levels[1].join(" ")}, error ${error}`);
  }

  slide(event) {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.setShare(this.share + step);
  }
}
