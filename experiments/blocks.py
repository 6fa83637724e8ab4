"""Architectures at equal time of training: `python experiments/blocks.py DATA [--seconds 200] [--rows ...]`.

Trains every architecture for the same number of seconds by the same recipe (`--recipe m16`: 16 channels only,
or m: all prefixes), any of its fields changed as `tubelet train` takes them, but for width, blocks and
transform, which are the rows'. All start as the same linear tokenizer, with the same seed, by the protocol of
ablate.py: seven eighths of the prepared clips are trained on, the others measured, windows of 17 x 128 x 128,
networks in the recipe's precision. Rows go into a JSON file as they are done, and one that is there with the
same settings is not run again. Compare rows of one machine that did nothing else.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from ablate import FRAMES, SIDE, psnr, split, weights, windows
from block_shapes import (
    Hierarchical,
    Lead,
    MakeBlock,
    dense,
    depthwise3,
    depthwise7,
    look_mix,
    ours,
    two_frames,
)
from torch import nn

from tubelet import checkpoint
from tubelet.cli.fields import add_fields, with_fields
from tubelet.data.crops import Crops, open_crops
from tubelet.metrics.seams import ClipBoundaryError
from tubelet.models.klt.model import KLTModel
from tubelet.models.protocol import StepModel
from tubelet.nn.blocks import MEMORY
from tubelet.nn.klt import KLTCascade
from tubelet.recipes.table import make_config
from tubelet.results import circumstances, write_results
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.iteration import iterate
from tubelet.train.optimizers import make_optimizers
from tubelet.train.precision import autocast
from tubelet.train.state import TrainState
from tubelet.train.task import Place
from tubelet.train.tokenizer.config import TrainConfig
from tubelet.train.tokenizer.network import Network
from tubelet.train.tokenizer.task import TokenizerTask
from tubelet.types import Video
from tubelet.video.pixels import from_model

PROTOCOL = (
    "blocks: gain_db, mean PSNR over windows of 17x128x128 of held-out prepared clips, less that of the "
    "linear tokenizer, by number of channels; networks in the recipe's precision, averaged weights. "
    "seconds_per_step, wall time of training over steps. mpx_per_s, pixels of 17x256x256 over the median of "
    "3 times of encode and decode with all channels, networks in bfloat16. boundary_error_ratio, mean over "
    "rows and columns of the mean squared error of all decoded windows, rounded to 8 bits, beside the "
    "borders of patches over that elsewhere, at boundary_channels; linear_* is the linear tokenizer's. "
    "mflop_per_px, to encode and decode; weights, those of the networks."
)
TIMED = (17, 256, 256)
"""Frames, rows and columns of the clip that inference is timed on."""

ROUNDS = 3
BOUNDARY_CHANNELS = 16
ADAMW_RATE = 5e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is compared; one that says nothing is the product's network, trained as the recipe says.

    Attributes:
        about: in words.
        width: channels inside the networks.
        blocks: of the encoder and of the decoder.
        encoder: makes its blocks.
        decoder: makes its blocks.
        around: makes the model out of the product's.
        adamw: whether AdamW moves all weights.
        transform: whether the KLT and with it the skips are trained.
    """

    about: str
    width: int = 192
    blocks: tuple[int, int] = (2, 6)
    encoder: MakeBlock = ours
    decoder: MakeBlock = ours
    around: Callable[[KLTModel], StepModel] | None = None
    adamw: bool = False
    transform: bool = False

    def config(self, recipe: TrainConfig) -> TrainConfig:
        """The recipe, changed as the row says."""
        encoder, decoder = self.blocks
        model = replace(recipe.model, width=self.width, encoder_blocks=encoder, decoder_blocks=decoder)
        optimizer = recipe.optimizer
        if self.adamw:
            optimizer = replace(optimizer, kind="adamw", rate=ADAMW_RATE)
        return replace(recipe, model=model, optimizer=optimizer, transform=self.transform)


# Widths and numbers of blocks give about the time of inference of the first row, measured on one core of an
# EPYC with AVX512-BF16; mpx_per_s says how near it is on another machine.
ROWS = {
    "ours": Row(about="1x3x3, causal 3x1x1, 1x3x3"),
    "dense": Row(about="two causal 3x3x3", width=128, encoder=dense, decoder=dense),
    "two-frames": Row(
        about="3x3 over two steps (TAEHV), 3x3", width=176, encoder=two_frames, decoder=two_frames
    ),
    "look-mix": Row(about="1x3x3, causal 3x1x1", width=256, encoder=look_mix, decoder=look_mix),
    "depthwise": Row(
        about="depthwise 3x3, causal mix; wide pointwise", width=224, encoder=depthwise3, decoder=depthwise3
    ),
    "depthwise-7": Row(
        about="depthwise, 7x7 in the decoder", width=224, encoder=depthwise3, decoder=depthwise7
    ),
    "hierarchical": Row(about="ours, last decoder block narrow, at 1/4", blocks=(2, 5), around=Hierarchical),
    "adamw": Row(about="ours, AdamW for all", adamw=True),
    "wide": Row(about="ours, wider and fewer", width=256, blocks=(1, 4)),
    "deep": Row(about="ours, narrower and more", width=128, blocks=(4, 12)),
    "free": Row(about="ours, transform and skips free", transform=True),
    "lead": Row(about="ours, lead frame with a map of its own", around=Lead),
}

Record = dict[str, Any]
"""Of one row, as in the file: ``settings``, ``figures`` and ``circumstances``."""


def main() -> None:
    """Train and measure what is not in the file yet, and print a table."""
    arguments = parse()
    recipe = with_fields(make_config(arguments.recipe), arguments)
    if recipe.model.memory != MEMORY or recipe.quantizer is not None or recipe.linear is None:
        raise SystemExit(
            f"recipe {arguments.recipe} has memory {recipe.model.memory}, quantiser {recipe.quantizer} and "
            f"linear start {recipe.linear}; blocks are compared with memory {MEMORY}, without a quantiser, "
            "from a linear tokenizer. Take m16 or m."
        )
    records = earlier_records(arguments.o)
    with tempfile.TemporaryDirectory() as scratch:
        fitted, measured = (Path(scratch) / name for name in ("fit", "measure"))
        split(arguments.data, fitted, measured)
        crops, test = open_crops(fitted), open_crops(measured)
        data = {"trained_on": len(crops), "measured_on": len(test), **crops.settings}
        wanted = {
            name: settings_of(name, recipe, arguments.seconds, data, arguments.device)
            for name in arguments.rows
        }
        missing = [name for name, each in wanted.items() if found(records, each) is None]
        bench = None
        for name in missing:
            # Fitting the start takes a minute, and may not be needed.
            if bench is None:
                bench = Bench.prepare(recipe, crops, windows(test), arguments.seconds, arguments.device)
            figures = bench.measure(ROWS[name])
            print(json.dumps({"row": name} | figures), flush=True)
            records.append({"settings": wanted[name], "figures": figures, "circumstances": circumstances()})
            write_results(arguments.o, protocol=PROTOCOL, figures={"rows": records})
    print(table([record for each in wanted.values() if (record := found(records, each)) is not None]))


def parse() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=PROTOCOL)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=200.0, help="of training, for every row")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--recipe", default="m16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", type=Path, default=Path("experiments/results/blocks.json"))
    known, _ = parser.parse_known_args()
    # A row says what width, how many blocks, and whether the transform is trained.
    add_fields(parser, make_config(known.recipe))
    return parser.parse_args()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows share.

    Attributes:
        recipe: how they are trained.
        crops: what they are trained on.
        video: what they are measured on.
        transform: the linear tokenizer's, with the coefficients that the recipe adds.
        floor: PSNR of the linear tokenizer in dB, by number of channels.
        floor_boundary: its boundary error ratio.
        seconds: of training.
        device: where it all runs.
    """

    recipe: TrainConfig
    crops: Crops
    video: Video
    transform: KLTCascade
    floor: dict[int, float]
    floor_boundary: float
    seconds: float
    device: torch.device

    @classmethod
    def prepare(cls, recipe: TrainConfig, crops: Crops, video: Video, seconds: float, device: str) -> "Bench":
        """Fit the start that all rows have, and measure the linear tokenizer."""
        assert recipe.linear is not None
        linear = checkpoint.load(recipe.linear)
        start = recipe.model.start(crops, seed=recipe.seed, linear=linear.model)
        place = torch.device(device)
        linear, video = linear.to(place), video.to(place)
        return cls(
            recipe=recipe,
            crops=crops,
            video=video,
            transform=start.transform,
            floor=psnr(linear, video, bfloat16=False),
            floor_boundary=boundary_ratio(linear, video, bfloat16=False),
            seconds=seconds,
            device=place,
        )

    def measure(self, row: Row) -> Record:
        """Train a row and give its figures."""
        config = row.config(self.recipe)
        network = build(row, config, self.transform).to(self.device)
        state, bad = fit(network, config, self.crops, seconds=self.seconds, device=self.device)
        state.use_ema()
        tokenizer = network.eval().tokenizer
        trained = psnr(tokenizer, self.video, bfloat16=config.bfloat16)
        counts = sorted(set(config.prefixes.counts) & set(trained))
        return {
            "about": row.about,
            "iterations": state.iteration,
            "bad_steps": bad,
            "weights": weights(network),
            "gain_db": {str(count): round(trained[count] - self.floor[count], 3) for count in counts},
            "linear_db": {str(count): self.floor[count] for count in counts},
            "mflop_per_px": round(tokenizer.flops_per_pixel() / 1e6, 4),
            "seconds_per_iteration": round(state.seconds / state.iteration, 4),
            "boundary_channels": min(BOUNDARY_CHANNELS, tokenizer.channels),
            "boundary_error_ratio": boundary_ratio(tokenizer, self.video, bfloat16=config.bfloat16),
            "linear_boundary_error_ratio": self.floor_boundary,
            "mpx_per_s": speed(tokenizer, self.device),  # last: it leaves the networks in bfloat16
        }


def build(row: Row, config: TrainConfig, transform: KLTCascade) -> Network:
    """The network of a row, which changes nothing yet: the product's, with other blocks put in."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        model = config.model.build()
        assert model.encoder is not None
        assert model.decoder is not None
        for stack, make, rated in ((model.encoder, row.encoder, False), (model.decoder, row.decoder, True)):
            stack.blocks = nn.ModuleList(make(stack.width, rated=rated) for _ in stack.blocks)
        model.transform.load_state_dict(transform.state_dict())
        around = model if row.around is None else row.around(model)
    return Network(ContinuousTokenizer(around, lead_frame=config.model.lead_frame))


def fit(
    network: Network, config: TrainConfig, crops: Crops, *, seconds: float, device: torch.device
) -> tuple[TrainState, int]:
    """Train for so many seconds, as `tubelet.train.loop` does, without files; give the bad steps too."""
    task = TokenizerTask(config, crops, data=Path())
    task.set_trainable(network, None)
    optimizers = make_optimizers(network, task.hidden_matrices(network), config.optimizer)
    state = TrainState(network=network.train().to(device), optimizers=optimizers)
    bad = 0
    while state.seconds < seconds and state.bad_iterations < config.patience:
        stage = config.stage_at(state.seconds / seconds)
        began, before = time.monotonic(), state.seconds
        with task.batches(stage, first=state.iteration, indices=range(stage.batch)) as feed:
            while state.seconds < seconds and config.stage_at(state.seconds / seconds) is stage:
                place = Place(
                    iteration=state.iteration,
                    indices=range(stage.batch),
                    progress=state.seconds / seconds,
                )
                bad += not iterate(state, network, task, next(feed), place).taken
                state.seconds = before + time.monotonic() - began
                if state.bad_iterations >= config.patience:
                    break
    return state, bad


@torch.no_grad()
def boundary_ratio(tokenizer: ContinuousTokenizer, video: Video, *, bfloat16: bool) -> float:
    """How much larger errors are beside the borders of patches, over all windows, rows and columns alike."""
    stride, count = tokenizer.stride, min(BOUNDARY_CHANNELS, tokenizer.channels)
    metrics = (ClipBoundaryError(stride.h, axis="rows"), ClipBoundaryError(stride.w, axis="columns"))
    for clip in video.split(1):
        with autocast(clip.device, bfloat16=bfloat16):
            latent = tokenizer.encode(clip, channels=count)
            back = tokenizer.decode(latent, frames=FRAMES, height=SIDE, width=SIDE)
        for metric in metrics:
            metric.update(from_model(clip), from_model(back))
    return round(statistics.fmean(metric.compute() for metric in metrics), 4)


@torch.no_grad()
def speed(tokenizer: ContinuousTokenizer, device: torch.device) -> float:
    """Megapixels per second to encode and decode, networks in bfloat16 from now on."""
    tokenizer.networks_to(torch.bfloat16)
    frames, height, width = TIMED
    video = torch.rand((1, 3, *TIMED), generator=torch.Generator().manual_seed(0)).to(device) * 2 - 1
    times = []
    for _ in range(1 + ROUNDS):
        began = time.perf_counter()
        latent = tokenizer.encode(video)
        tokenizer.decode(latent, frames=frames, height=height, width=width)
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return round(math.prod(TIMED) / statistics.median(times[1:]) / 1e6, 3)


def settings_of(
    name: str, recipe: TrainConfig, seconds: float, data: dict[str, int], device: str
) -> dict[str, Any]:
    """All that a row's figures depend on, but for the machine, as JSON gives it back."""
    row = ROWS[name]
    shape = {"encoder": row.encoder.__name__, "decoder": row.decoder.__name__}
    shape["tokenizer"] = "KLTModel" if row.around is None else row.around.__name__
    settings = {"row": name, "seconds": seconds, "device": device, "data": data, "shape": shape}
    return json.loads(json.dumps(settings | {"config": asdict(row.config(recipe))}))


def earlier_records(path: Path) -> list[Record]:
    """The rows that a file holds already; ends the program if they were made by another protocol."""
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["protocol"] != PROTOCOL:
        raise SystemExit(f"{path} was measured by another protocol. Move it away, or name another with -o.")
    return content["figures"]["rows"]


def found(records: list[Record], settings: dict[str, Any]) -> Record | None:
    """The record of these settings."""
    return next((record for record in records if record["settings"] == settings), None)


def table(records: list[Record]) -> str:
    """Markdown."""
    heads = ("row", "what", "width, blocks", "steps", "s a step", "weights, M", "MFLOP/px", "Mpx/s")
    heads += ("gain, dB", "boundary")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for record in records:
        figures, model = record["figures"], record["settings"]["config"]["model"]
        gains = " / ".join("none" if gain is None else f"{gain:+.2f}" for gain in figures["gain_db"].values())
        lines.append(
            f"| {record['settings']['row']} | {figures['about']} | {model['width']}, "
            f"{model['encoder_blocks']} + {model['decoder_blocks']} | {figures['steps']} | "
            f"{figures['seconds_per_step']:.3f} | {figures['weights'] / 1e6:.2f} | "
            f"{figures['mflop_per_px']:.3f} | {figures['mpx_per_s']:.2f} | {gains} | "
            f"{figures['boundary_error_ratio']:.3f} |"
        )
    if records:
        last = records[-1]["figures"]
        counts = ", ".join(last["gain_db"])
        floors = " / ".join(f"{each:.2f}" for each in last["linear_db"].values())
        lines.append(
            f"\nGain over the linear tokenizer ({floors} dB, boundary error ratio "
            f"{last['linear_boundary_error_ratio']:.3f}) at {counts} channels."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
