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
  const latent = new LatentView((kept) => controls.setChannels(kept));
  const map = new TokenMap();
  const show = (view: View) => {
    setText("waiting", "");
    stage.draw(view.source, view.decoded, view.clip.size);
    latent.draw(view.clip, view.shown.latent, player.settings.channels);
    map.draw(view, !player.playing);
    showFigures(view, player, chart);
    controls.showFrame(view);
  };
  const player = new Player(engine, facts, show);
  const chart = new PsnrChart((frame) => player.seek(frame));
  const controls = new Controls(player, stage, facts);

  let opening = 0;
  /** Open a source; what is asked for last wins. */
  const open = async (make: (side: number) => Promise<Source>): Promise<void> => {
    const turn = ++opening;
    tell(null);
    setText("waiting", "Opening…");
    try {
      const source = await make(controls.side);
      if (turn !== opening) return source.close();
      await player.open(source);
      controls.showClip(facts);
    } catch (error) {
      if (turn === opening) tell(error);
    }
  };
  /** Open a file of latents. */
  const openTube = async (file: File): Promise<void> => {
    const turn = ++opening;
    tell(null);
    setText("waiting", "Opening…");
    try {
      const incomplete = await player.openTube(file.name, new Uint8Array(await file.arrayBuffer()));
      if (turn !== opening) return;
      controls.showClip(facts);
      if (incomplete)
        tell(new SourceError(`${file.name}: ${incomplete}. What is shown is what came before.`));
    } catch (error) {
      tell(new SourceError(`${file.name}: ${error instanceof Error ? error.message : String(error)}.`));
    }
  };
  player.addEventListener("problem", (event) => tell((event as CustomEvent<unknown>).detail));
  controls.onopen = (file) =>
    file.name.endsWith(".tube") ? openTube(file) : open((side) => openFile(file, side));
  controls.onsave = () => player.save().then((bytes) => download(bytes, player.clip!.name), tell);
  controls.oncamera = () => open(openCamera);
  controls.onbuiltin = () => open(builtIn);
  await open(builtIn);
}

start().catch(tell);
