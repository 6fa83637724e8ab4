// ---- Latents, tokens and counts ----------------------------------------------------------------------------------

const TONES = [["diverging", "blue to red"], ["grey", "grey"]];

/** Colours of a latent from -127 to 127: to blue below zero, to red above, equally far. */
function tone(value, kind) {
  const share = value / 127;
  if (kind === "grey") return Array(3).fill(Math.round(127.5 + 127.5 * share));
  const ends = share < 0 ? [33, 90, 168] : [178, 42, 34];
  return ends.map((end) => Math.round(247 + (end - 247) * Math.abs(share) ** 0.8));
}

/** A colour that depends on a token alone: a multiplicative hash (Knuth) of its 64 bits, as hue and lightness. */
function tokenColour(token) {
  let mixed = Number(BigInt.asUintN(32, token ^ (token >> 32n)));
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x9e3779b1) >>> 0;
  const share = (shift, bits) => ((mixed >>> shift) & (2 ** bits - 1)) / (2 ** bits - 1);
  const [hue, lightness, strength] = [share(20, 12) * 360, 0.3 + 0.45 * share(12, 8), 0.35 + 0.5 * share(4, 8)];
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - strength * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4)];
}

/** Colours of a share from 0 to 1: from dark blue to yellow, ever lighter, the same to the colour-blind. */
function countColour(share) {
  const stops = [[0, 32, 76], [87, 93, 109], [165, 156, 116], [255, 233, 69]];
  const place = share * (stops.length - 1);
  const below = Math.min(Math.floor(place), stops.length - 2);
  return stops[below].map((from, k) => Math.round(from + (stops[below + 1][k] - from) * (place - below)));
}

/** What was kept of the latents, tokens and counts of a clip; null where nothing was. */
function pictures(name) {
  const kept = page.pictures[name] ?? [];
  if (!kept.length) return null;
  const draw = { latents: latentPicture, tokens: tokenPicture, counts: countsPicture };
  return h("section", { class: "latents" }, h("h4", {}, "Latents, tokens and counts"), explanations(kept), kept.map((each) =>
    each.why ? h("p", { class: "note" }, each.why) : draw[each.kind](each)));
}

/** What one sees in these pictures. */
function explanations(kept) {
  const kindOf = ({ system }) => figures.systems[system]?.facts.kind;
  const latents = kept.filter(({ kind }) => kind === "latents");
  const said = [
    latents.length && [h("b", {}, "Latents. "), "Each picture is one channel, and each of its dots one place of the latent. White is 0, red is above and blue below, the stronger the further; " +
      `in grey, what is lighter is above. Beyond ±${page.picture_range} colours are those of the ends.`],
    latents.some((each) => kindOf(each) !== "diffusers") && "The unit is the standard deviation of that channel over the clips that the tokenizer was made from. " +
      "Channels are in the order of their weight: the first hold coarse light and colour, later ones ever finer edges and motion, which look like outlines or noise. Which of the two directions is red is arbitrary.",
    latents.some((each) => kindOf(each) === "diffusers") && "Channels of an autoencoder of diffusers are in no order, and what each stands for is not known.",
    kept.some(({ kind }) => kind === "tokens") && [h("b", {}, "Tokens. "), "Each dot is the token of one place. Equal tokens have equal colours, and that is all that colours say: two colours that are alike mean nothing. " +
      "A large area of one colour is a part of the picture that one token describes everywhere."],
    kept.some(({ kind }) => kind === "counts") && [h("b", {}, "Counts. "), "Each dot is how many channels a file with a budget stores of one place; the lighter, the more. " +
      "Where it stores none, the place repeats the latent step before."],
  ];
  return said.filter(Boolean).map((each) => h("p", { class: "note" }, each));
}

function latentPicture(picture) {
  const [channels, rows, across] = picture.shape;
  const values = new Int8Array(bytesOf(picture.values).buffer);
  const tiles = Array.from({ length: channels }, (_, channel) => {
    const canvas = h("canvas", { width: across, height: rows, role: "img", "aria-label": `Channel ${channel}` });
    const words = h("figcaption", {}, `channel ${channel}`);
    tellPlace(canvas, words, rows, across, (i) => loose((values[channel * rows * across + i] / 127) * page.picture_range));
    return h("figure", { class: "tile" }, canvas, words);
  });
  const scale = h("canvas", { width: 255, height: 1, "aria-hidden": "true" });
  const draw = (kind) => {
    tiles.forEach((tile, channel) => paint(tile.firstChild, (i) => tone(values[channel * rows * across + i], kind)));
    paint(scale, (i) => tone(i - 127, kind));
  };
  draw("diverging");
  const colours = choice("colours", TONES, "diverging", draw);
  const legend = h("span", { class: "scale" }, `≤ −${page.picture_range}`, scale, `≥ ${page.picture_range}`);
  const all = figures.systems[picture.system]?.facts.channels ?? channels;
  const said = `${count(channels, "channel")}${all > channels ? ` of ${all}` : ""}`;
  return pictureBox(picture, "latent step", said, tiles, [legend, colours.element]);
}

function tokenPicture(picture) {
  const [tokens, rows, across] = picture.shape;
  const values = new BigInt64Array(bytesOf(picture.values).buffer);
  const size = rows * across;
  const tiles = Array.from({ length: tokens }, (_, k) => {
    const mine = values.subarray(k * size, (k + 1) * size);
    const canvas = h("canvas", { width: across, height: rows, role: "img", "aria-label": `Token ${k}` });
    paint(canvas, (i) => tokenColour(mine[i]));
    const words = h("figcaption", {}, `token ${k}: ${new Set(mine).size} different of ${size}`);
    tellPlace(canvas, words, rows, across, (i) => `token ${mine[i]}`);
    return h("figure", { class: "tile" }, canvas, words);
  });
  return pictureBox(picture, "tokens", count(tokens, "token") + " at each place", tiles, null);
}

/** How many channels are stored where: over the frame, and alone. */
function countsPicture(picture) {
  const [, rows, across] = picture.shape;
  const values = Array.from(new BigInt64Array(bytesOf(picture.values).buffer), Number);
  const most = Math.max(1, ...values);
  // Counts double from class to class: their logarithms are evenly spaced.
  const share = (value) => Math.log2(1 + value) / Math.log2(1 + most);
  const map = (label) => {
    const canvas = h("canvas", { width: across, height: rows, role: "img", "aria-label": label });
    paint(canvas, (i) => countColour(share(values[i])));
    return canvas;
  };
  const words = h("figcaption", {}, "channels stored");
  const alone = map("Channels stored at each place");
  tellPlace(alone, words, rows, across, (i) => count(values[i], "channel"));
  const over = picture.frame && h("figure", { class: "tile" },
    h("div", { class: "overlaid" }, h("img", { alt: "", src: `data:image/jpeg;base64,${picture.frame}` }), map("The same over the frame")),
    h("figcaption", {}, "over the frame"));
  const scale = h("canvas", { width: 128, height: 1, "aria-hidden": "true" });
  paint(scale, (i) => countColour(i / 127));
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  const legend = h("span", { class: "scale" }, "0", scale, String(most));
  return pictureBox(picture, "counts", `${loose(mean)} channels in the mean`, [over, h("figure", { class: "tile" }, alone, words)], [legend]);
}

/** Write below a picture what lies under the pointer. */
function tellPlace(canvas, words, rows, across, said) {
  const usual = words.textContent;
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const row = Math.max(0, Math.min(rows - 1, Math.floor((offsetY / canvas.clientHeight) * rows)));
    const column = Math.max(0, Math.min(across - 1, Math.floor((offsetX / canvas.clientWidth) * across)));
    words.textContent = `${column}, ${row}: ${said(row * across + column)}`;
  });
  canvas.addEventListener("pointerleave", () => (words.textContent = usual));
}

/** A latent step, its tokens or its counts, beside the frame that it belongs to. */
function pictureBox(picture, what, said, tiles, choices) {
  const [first, end] = picture.frames;
  const span = end - first > 1 ? `frames ${first} to ${end - 1}` : `frame ${first}`;
  const stride = figures.systems[picture.system]?.facts.stride;
  const patch = stride ? `; a dot stands for ${stride[2]}×${stride[1]} pixels` : "";
  const source = picture.frame && h("img", { alt: `Frame ${picture.shown} of the source`, src: `data:image/jpeg;base64,${picture.frame}` });
  return h("div", { class: "picture" },
    h("div", { class: "picture-head" }, nameOf(picture.system), h("span", { class: "half" }, `${what} of ${span}: ${said}${patch}`), choices),
    h("div", { class: "tiles", style: { "--ratio": `${picture.shape[2]} / ${picture.shape[1]}` } },
      source && h("figure", { class: "tile" }, source, h("figcaption", {}, `source, frame ${picture.shown}`)), tiles));
}

/** Fill a canvas with a colour for each of its pixels. */
function paint(canvas, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) image.data.set([...colour(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
}
