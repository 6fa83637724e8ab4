// ---- Trade-offs: a point for each system ----------------------------------------------------------------------

const RATES = {
  bits_per_pixel: "bits on disk per pixel",
  numbers_per_pixel: "numbers per pixel, not quantised",
  nominal_bits_per_pixel: "nominal bits per pixel",
  entropy_bits_per_pixel: "entropy in bits per pixel",
};

const SPEEDS = {
  megapixels_per_second_decode: "decoded megapixels per second",
  megapixels_per_second_encode: "encoded megapixels per second",
};

const MARKERS = ["circle", "square", "up", "diamond", "down", "plus", "cross", "star"];

/** The shape of a system's points, around a place: a second sign beside its colour. */
function marker(system, x, y) {
  const shapes = {
    circle: "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
    square: "M-4-4h8v8h-8z",
    up: "M0-5.2l5 8.6h-10z",
    diamond: "M0-5.6l5.6 5.6l-5.6 5.6l-5.6-5.6z",
    down: "M0 5.2l5-8.6h-10z",
    plus: "M-1.6-5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z",
    cross: "M-3.6-5l3.6 3.6l3.6-3.6l1.4 1.4l-3.6 3.6l3.6 3.6l-1.4 1.4l-3.6-3.6l-3.6 3.6l-1.4-1.4l3.6-3.6l-3.6-3.6z",
    star: "M0-6l1.6 4.4h4.4l-3.6 2.8l1.4 4.6l-3.8-2.8l-3.8 2.8l1.4-4.6l-3.6-2.8h4.4z",
  };
  const shape = shapes[MARKERS[systems.indexOf(system) % MARKERS.length]];
  return svg("path", { class: "marker", d: shape, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`, style: { fill: colourOf(system) } });
}

function tradeoffs() {
  const qualities = columns.filter((column) =>
    !["rate", "speed", "drift_psnr_db"].includes(column.group) && systems.some((system) => meanOf(system, column, parts[0])));
  if (!qualities.length) return null;
  return h("section", { id: "tradeoffs" }, h("h2", {}, "Trade-offs"),
    h("div", { class: "pair" },
      scatter("Rate and quality", RATES, qualities,
        "Bits and numbers are never on one axis. Lines join one thing at several rates; whiskers are intervals."),
      scatter("Speed and quality", SPEEDS, qualities, speedNote().trim())));
}

/** A chart of all systems that have both figures, over a logarithmic axis that is chosen from some. */
function scatter(title, axes, qualities, note) {
  const across = columns.filter((column) => axes[column.name] && systems.some((system) => meanOf(system, column, parts[0])));
  if (!across.length) return h("figure", { class: "chart" }, h("figcaption", {}, title), h("p", { class: "note" }, "No system has figures of this kind."));
  const place = h("div", { class: "settle" });
  const missing = h("p", { class: "note" });
  const chosen = { x: across[0], y: qualities[0] };
  const draw = () => {
    const points = systems.flatMap((system) => {
      const x = meanOf(system, chosen.x, parts[0])?.mean;
      const y = meanOf(system, chosen.y, parts[0]);
      return x > 0 && typeof y?.mean === "number" ? [{ system, x, y: y.mean, low: y.low ?? y.mean, high: y.high ?? y.mean }] : [];
    });
    const absent = systems.filter((system) => !points.some((point) => point.system === system));
    place.replaceChildren(points.length ? scatterPlot(points, chosen, axes[chosen.x.name]) : h("p", { class: "note" }, "No system has both figures."));
    missing.textContent = `${note}${absent.length ? ` Not on these axes: ${absent.join(", ")}.` : ""}`;
  };
  const pick = (key, list) => (number) => {
    chosen[key] = list[number];
    draw();
  };
  const named = (list, name) => list.map((column, number) => [number, name(column)]);
  draw();
  return h("figure", { class: "chart" },
    h("figcaption", {}, title),
    h("div", { class: "choices" },
      choice("across", named(across, (column) => axes[column.name]), 0, pick("x", across)).element,
      choice("up", named(qualities, (column) => column.head), 0, pick("y", qualities)).element),
    place, missing);
}

function scatterPlot(points, chosen, xLabel) {
  const said = ({ system, x, y, low, high }) =>
    `${system}: ${loose(x)} ${xLabel}, ${chosen.y.head} ${shown(y, chosen.y)} (${shown(low, chosen.y)} to ${shown(high, chosen.y)})`;
  return plot({
    x: logAxis(points.map((point) => point.x)),
    y: linearAxis(points.flatMap((point) => [point.y, point.low, point.high])),
    xLabel,
    yLabel: `${chosen.y.head} ${ARROWS[chosen.y.better] ?? ""}`,
    height: 300,
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
      for (const point of placed) {
        const mark = svg("g", { class: "point", tabindex: 0, role: "img", "aria-label": said(point) },
          svg("circle", { class: "reach", cx: point.left, cy: point.top, r: 12 }), marker(point.system, point.left, point.top));
        canvas.group.append(explain(mark, said(point)));
      }
      canvas.group.append(...wordsBeside(placed, canvas));
    },
  }).element;
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
      return [svg("text", { class: "word", x: left + dx, y: top + dy }, system)];
    }
    return [];
  });
}
