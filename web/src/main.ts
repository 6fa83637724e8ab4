// The page, put together.

import { Engine } from "./codec/engine";
import { fetchBytes } from "./fetching";
import { openCamera } from "./media/camera";
import { openFile } from "./media/file";
import { type Source, SourceError } from "./media/source";
import { Player, type View } from "./player";
import { PsnrChart } from "./view/chart";
import { Controls } from "./view/controls";
import { element, setText } from "./view/elements";
import { showFigures } from "./view/figures";
import { LatentView } from "./view/latent";
import { Stage } from "./view/stage";
import { TokenMap } from "./view/token_map";

const base = new URL("./", location.href).href;
const problem = element("problem", HTMLElement);

/** Say what went wrong; nothing for none. */
function tell(error: unknown): void {
  const text =
    error === null
      ? ""
      : error instanceof SourceError
        ? error.message
        : `Something went wrong: ${error instanceof Error ? error.message : String(error)}`;
  problem.textContent = text;
  problem.hidden = text === "";
  if (text) setText("waiting", "");
}

async function builtIn(side: number): Promise<Source> {
  const bytes = await fetchBytes(new URL("clip.mp4", base).href);
  return openFile(new File([bytes], "built-in clip", { type: "video/mp4" }), side);
}

/** Hand a file to the user. */
function download(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = `${name.replace(/\.[^.]*$/, "").replaceAll(" ", "-")}.tube`;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function start(): Promise<void> {
  setText("waiting", "Loading the runtime and the tokenizer…");
  const engine = new Engine();
  const runtime = new URLSearchParams(location.search).get("runtime");
  const { facts, runtime: computes } = await engine.ask("load", { base, runtime });
  setText("model", `${facts.name} · ${computes}`);
  const stage = new Stage();
  const latent = new LatentView((part, kept) => controls.setChannels(part, kept));
  const map = new TokenMap();
  /** Sources that are being opened; what was open before is shown meanwhile. */
  let opening = 0;
  const show = (view: View) => {
    if (!opening) setText("waiting", "");
    stage.draw(view.source, view.decoded, view.clip.size);
    latent.draw(view, player.settings.channels);
    map.draw(view, !player.playing);
    showFigures(view, player, chart);
    controls.showFrame(view);
  };
  const player = new Player(engine, facts, show);
  const chart = new PsnrChart((frame) => player.seek(frame));
  const controls = new Controls(player, stage, facts);

  let turns = 0;
  /** Open something; what is asked for last wins, and `isLast` tells whether this is it. */
  const opened = async (make: (isLast: () => boolean) => Promise<void>): Promise<void> => {
    const turn = ++turns;
    const isLast = () => turn === turns;
    tell(null);
    setText("waiting", "Opening…");
    opening++;
    try {
      await make(isLast);
    } catch (error) {
      if (isLast()) tell(error);
    } finally {
      opening--;
    }
  };
  const open = (make: (side: number) => Promise<Source>) =>
    opened(async (isLast) => {
      const source = await make(controls.side);
      if (!isLast()) return source.close();
      await player.open(source);
      controls.showClip(facts);
    });
  /** Open a file of latents, or of tokens. */
  const openTube = (file: File) =>
    opened(async (isLast) => {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const incomplete = await player.openTube(file.name, bytes).catch((error: unknown) => {
        throw new SourceError(`${file.name}: ${error instanceof Error ? error.message : String(error)}.`);
      });
      if (!isLast()) return;
      controls.showClip(facts);
      if (incomplete) throw new SourceError(`${file.name}: ${incomplete}. What is shown is what came before.`);
    });
  player.addEventListener("problem", (event) => tell((event as CustomEvent<unknown>).detail));
  controls.onopen = (file) =>
    file.name.endsWith(".tube") ? openTube(file) : open((side) => openFile(file, side));
  controls.onsave = () => player.save().then((bytes) => download(bytes, player.clip!.name), tell);
  controls.oncamera = () => open(openCamera);
  controls.onbuiltin = () => open(builtIn);
  await open(builtIn);
}

start().catch(tell);
