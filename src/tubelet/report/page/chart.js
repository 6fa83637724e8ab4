// ---- Axes ---------------------------------------------------------------------------------------------------

/** An even axis around values, ending on its outer ticks, which are shown times a factor. */
function linearAxis(values, wanted = 5, times = 1) {
  if (times !== 1) {
    const scaled = linearAxis(values.map((value) => value * times), wanted);
    return { ...scaled, ticks: scaled.ticks.map((tick) => tick / times), format: (tick) => scaled.format(tick * times), share: (value) => scaled.share(value * times) };
  }
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(high > low)) [low, high] = [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0));
  return axis(ticks[0], ticks.at(-1), ticks, (value) => text(value, Math.min(digits, 8)), (value) => value);
}

/** A logarithmic axis around positive values. */
function logAxis(values) {
  const low = Math.min(...values) / 1.25;
  const high = Math.max(...values) * 1.25;
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) }, (_, i) => 10 ** (Math.floor(Math.log10(low)) + i));
  const within = (steps) => powers.flatMap((power) => steps.map((step) => step * power)).filter((tick) => tick >= low && tick <= high);
  const few = within([1, 2, 5]);
  const ticks = few.length > 3 ? few : within([1, 1.5, 2, 3, 4, 5, 6, 8]);
  return axis(low, high, ticks, (value) => Number(value.toPrecision(3)).toString(), Math.log);
}

function axis(low, high, ticks, format, warp) {
  const share = (value) => (warp(value) - warp(low)) / (warp(high) - warp(low));
  return { low, high, ticks, format, share };
}

// ---- Plots --------------------------------------------------------------------------------------------------

/** Pixels across a sheet of paper: what is drawn wider would be shrunk, and its letters with it. */
const PAPER = 640;

const MARGIN = { left: 46, right: 14, top: 10, bottom: 34 };

/**
 * A box with axes that is drawn again whenever its width changes; its height never does.
 *
 * `draw(canvas)` gets `x` and `y` (from values to places), the size, and an SVG group to draw into.
 */
function plot({ x, y, xLabel, yLabel, height, label, draw }) {
  const picture = svg("svg", { class: "plot", role: "img", "aria-label": label, height });
  const element = h("div", { class: "plot-box", style: { height: `${height}px` } }, picture);
  let width = 0;
  const redraw = (most = Infinity) => {
    width = Math.min(most, element.clientWidth);
    if (!width) return;
    picture.setAttribute("width", width);
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const canvas = {
      ...inner,
      x: (value) => MARGIN.left + inner.width * x.share(value),
      y: (value) => MARGIN.top + inner.height * (1 - y.share(value)),
      group: svg("g"),
    };
    picture.replaceChildren(frameOf(canvas, x, y, xLabel, yLabel), canvas.group);
    draw(canvas);
  };
  new ResizeObserver(() => element.clientWidth !== width && redraw()).observe(element);
  addEventListener("beforeprint", () => redraw(PAPER));
  addEventListener("afterprint", () => redraw());
  return { element, picture, redraw };
}

/** Lines and texts of both axes; ticks that would touch are left out. */
function frameOf(canvas, x, y, xLabel, yLabel) {
  const bottom = MARGIN.top + canvas.height;
  const right = MARGIN.left + canvas.width;
  let free = -Infinity;
  const below = x.ticks.flatMap((tick) => {
    const place = canvas.x(tick);
    const word = x.format(tick);
    if (place < free || place > right + 1) return [];
    free = place + 7 * word.length + 14;
    return [svg("line", { class: "tick", x1: place, x2: place, y1: bottom, y2: bottom + 4 }),
      svg("text", { x: place, y: bottom + 16, "text-anchor": "middle" }, word)];
  });
  const beside = y.ticks.map((tick) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: canvas.y(tick), y2: canvas.y(tick) }),
    svg("text", { x: MARGIN.left - 7, y: canvas.y(tick) + 3.5, "text-anchor": "end" }, y.format(tick))]);
  return svg("g", { class: "axes" }, beside, below,
    svg("line", { class: "base", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    xLabel && svg("text", { class: "label", x: right, y: bottom + 30, "text-anchor": "end" }, xLabel),
    yLabel && svg("text", { class: "label", x: MARGIN.left + 5, y: MARGIN.top + 4 }, yLabel));
}

/** The line through points; a value that is missing or infinite breaks it. */
function pathThrough(points) {
  let path = "";
  let pen = false;
  for (const point of points) {
    // A point that stands alone becomes a line of no length, which round ends make a dot.
    if (point) path += `${pen ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}${pen ? "" : "h0"}`;
    pen = Boolean(point);
  }
  return path;
}

// ---- Curves: a value for each frame -----------------------------------------------------------------------------

/**
 * A chart of a measure over the frames of a clip, with a cursor.
 *
 * Args: `lines`, pairs of a system and its values; `onpick(frame)`, called when a frame is chosen on the chart.
 */
function curves({ column, lines, frames, onpick }) {
  const all = lines.flatMap(([, values]) => values).filter((value) => typeof value === "number");
  const label = `${column.head} of each frame`;
  const readouts = new Map(lines.map(([system]) => [system, h("output")]));
  let cursor = 0;
  let needle = null;
  let place = null;

  const chart = plot({
    x: axis(0, Math.max(1, frames - 1), frameTicks(frames), String, (value) => value),
    y: linearAxis(all.length ? all : [0, 1], 4),
    xLabel: "frame",
    height: 168,
    label,
    draw: (canvas) => {
      place = canvas.x;
      const top = MARGIN.top;
      for (const [system, values] of lines) {
        // An infinite value has no place; a dot at the upper end stands for it.
        const points = values.slice(0, frames).map((value, i) => (typeof value === "number" ? [canvas.x(i), canvas.y(value)] : null));
        const style = { stroke: colourOf(system) };
        canvas.group.append(svg("path", { class: "line", d: pathThrough(points), style, "stroke-dasharray": dashOf(system) }));
        values.slice(0, frames).forEach((value, i) => {
          if (value === null) canvas.group.append(svg("circle", { cx: canvas.x(i), cy: top, r: 2, style: { fill: colourOf(system) } }));
        });
      }
      needle = svg("line", { class: "needle", y1: top, y2: top + canvas.height });
      canvas.group.append(needle);
      moveNeedle();
    },
  });

  const moveNeedle = () => {
    needle?.setAttribute("x1", place(cursor));
    needle?.setAttribute("x2", place(cursor));
  };
  const setCursor = (frame) => {
    cursor = frame;
    for (const [system, values] of lines) readouts.get(system).textContent = shown(values[frame], column);
    moveNeedle();
  };
  const pick = (frame) => onpick(Math.max(0, Math.min(frames - 1, frame)));
  const frameAt = (event) => {
    const box = chart.picture.getBoundingClientRect();
    return Math.round(((event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right)) * (frames - 1));
  };
  chart.picture.setAttribute("tabindex", 0);
  chart.picture.addEventListener("pointerdown", (event) => {
    chart.picture.setPointerCapture(event.pointerId);
    pick(frameAt(event));
  });
  chart.picture.addEventListener("pointermove", (event) => event.buttons && pick(frameAt(event)));
  chart.picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    pick(cursor + step * (event.shiftKey ? 10 : 1));
  });
  setCursor(0);
  const legend = h("div", { class: "legend" }, lines.map(([system]) => h("span", {}, nameOf(system), readouts.get(system))));
  return {
    element: h("figure", { class: "chart" }, h("figcaption", {}, explain(h("span", { tabindex: 0 }, column.head, " ", h("span", { class: "arrow" }, ARROWS[column.better] ?? "")), about(column))), legend, chart.element),
    setCursor,
  };
}

/** About eight frames with round numbers. */
function frameTicks(frames) {
  const step = [1, 2, 4, 5, 8, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((each) => frames / each <= 9) ?? Math.ceil(frames / 8);
  return Array.from({ length: Math.ceil(frames / step) }, (_, i) => i * step);
}
