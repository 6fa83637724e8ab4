// ---- Arrows: how things move, over the pictures of a player ---------------------------------------------------------

/**
 * A layer of arrows, one for each position that moves: from where it is in the first frame of a latent step to where
 * it is in the last. All frames of a step have the same.
 */
class Arrows {
  constructor(layers, { width, height }) {
    this.layers = layers.filter((each) => !each.why);
    this.notes = layers.filter((each) => each.why).map((each) => each.why);
    this.size = { width, height };
    this.layer = null;
    this.step = -1;
    // One for each window. What lies behind may have any colour: lines are light, with a dark edge.
    this.elements = [0, 1].map(() =>
      svg("svg", { class: "arrows", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "edge" }), svg("path", { class: "line" })));
    this.words = h("span", { class: "moved" });
    this.show(null);
  }

  /** Show the motion that a system found; null for none. */
  show(system) {
    this.layer = this.layers.find((each) => each.system === system) ?? null;
    if (this.layer) this.layer.moved ??= new Int8Array(bytesOf(this.layer.values).buffer);
    for (const element of this.elements) element.classList.toggle("off", !this.layer);
    this.words.hidden = !this.layer;
    this.step = -1;
  }

  draw(frame) {
    if (!this.layer || frame < 0) return;
    const step = Math.max(0, this.layer.frames.findLastIndex((first) => first <= frame));
    if (step === this.step || step >= this.layer.shape[0]) return;
    this.step = step;
    const { path, mean, most } = this.drawn(step);
    for (const line of this.elements.flatMap((element) => [...element.children])) line.setAttribute("d", path);
    const [first, end] = [this.layer.frames[step], this.layer.frames[step + 1]];
    this.words.textContent = end - first > 1
      ? `motion from frame ${first} to ${end - 1}: ${loose(mean)} pixels on average, ${loose(most)} at most`
      : `frame ${first} is a latent step of its own: nothing moves in it`;
  }

  /** The arrows of a step as the path of an SVG, in pixels of the picture, and how long they are. */
  drawn(step) {
    const [, rows, across] = this.layer.shape;
    const [above, count] = [Math.floor(this.layer.every / 2), rows * across];
    const moved = this.layer.moved.subarray(2 * step * count, 2 * (step + 1) * count);
    // Positions at the right and at the bottom may stand for pixels beyond the picture.
    const [, high, wide] = figures.systems[this.layer.system].facts.stride;
    const parts = [];
    let [sum, most] = [0, 0];
    for (let i = 0; i < count; i++) {
      const [right, down] = [moved[i] / page.motion_fineness, moved[count + i] / page.motion_fineness];
      if (!right && !down) continue;
      const length = Math.hypot(right, down);
      sum += length;
      most = Math.max(most, length);
      const row = above + this.layer.every * Math.floor(i / across);
      const column = above + this.layer.every * (i % across);
      parts.push(arrow((column + 0.5) * wide, (row + 0.5) * high, right, down, length));
    }
    return { path: parts.join(""), mean: sum / count, most };
  }
}

/** A line from a point with a head at its end: the head is as long as a third of it, and at most 3 pixels. */
function arrow(x, y, right, down, length) {
  const head = Math.min(3, length / 3) / length;
  const [tipX, tipY] = [x + right, y + down];
  const side = (sign) => `${at(tipX - head * (right + sign * 0.7 * down))} ${at(tipY - head * (down - sign * 0.7 * right))}`;
  return `M${at(x)} ${at(y)}L${at(tipX)} ${at(tipY)}M${side(1)}L${at(tipX)} ${at(tipY)}L${side(-1)}`;
}

const at = (place) => Math.round(100 * place) / 100;
