"""Measure tokenizers and codecs on a folder of clips, by one protocol.

Systems are texts:
  tubelet-m@16                 the first 16 channels of the latent, not quantised
  tubelet-m@16:step=1          the same through a .tube file: bytes on disk
  my/folder                    a checkpoint; a discrete one goes through a .tube file of tokens
  x264:crf=28,preset=medium    also x265:crf=28 and svtav1:crf=40; chroma=444 where there is that
  diffusers:my/vae,tiling=true an autoencoder of diffusers, a folder or an id of the hub

An interrupted evaluation goes on where it was when it is started again.

for example:
  tubelet evaluate clips --with tubelet-m@16 klt-4x8x8@16 x264:crf=28 --protocol short256x33 -o figures
"""

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tubelet.cli import options
from tubelet.errors import DamageWarning
from tubelet.files import printable

if TYPE_CHECKING:
    from tubelet.evaluate.weights import Weights

NAME = "evaluate"

_COLUMNS = {
    "PSNR dB": ("detail", "psnr_db", 2),
    "pooled dB": ("detail", "pooled_psnr_db", 2),
    "SSIM": ("detail", "ssim", 4),
    "MS-SSIM": ("detail", "ms_ssim", 4),
    "VMAF": ("detail", "vmaf", 2),
    "LPIPS": ("detail", "lpips", 4),
    "DISTS": ("detail", "dists", 4),
    "flicker": ("temporal_consistency", "flicker_levels", 3),
    "warping": ("temporal_consistency", "warping_error", 6),
    "rFVD I3D": ("temporal_consistency", "rfvd_i3d", 2),
    "rFVD VideoMAE": ("temporal_consistency", "rfvd_videomae", 2),
    "motion dB": ("motion_fidelity", "difference_psnr_db", 2),
    "tOF px": ("motion_fidelity", "tof_px", 3),
    "bits/px": ("rate", "bits_per_pixel", 4),
    "numbers/px": ("rate", "numbers_per_pixel", 4),
}
"""Of the table: group, measure and digits; columns that nobody has a figure for are left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of clips")
    parser.add_argument(
        "--with", dest="systems", nargs="+", required=True, metavar="SYSTEM", help="what is measured"
    )
    parser.add_argument(
        "--protocol",
        default="short256x33",
        metavar="NAME",
        help="short256x33 (default), native-all, vidtok-mcljcv, tokenbench, davis",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RESULTS", help="folder of the results"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="tags of the clips (default: DATA/manifest.csv or .json)",
    )
    parser.add_argument(
        "--also", nargs="+", default=[], metavar="MEASURE", help="further measures, such as vmaf (slow)"
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NETWORK=FILE:SHA256",
        help="weights of lpips, dists, or i3d or videomae (rFVD); what has no file is absent",
    )
    parser.add_argument(
        "--keep-videos",
        type=int,
        default=0,
        metavar="N",
        help="write the N worst clips, and what came back, as lossless videos",
    )
    parser.add_argument(
        "--latents", action="store_true", help="describe latents and tokens too: moments, spectrum, usage"
    )
    parser.add_argument(
        "--drift", action="store_true", help="reconstruct reconstructions, ten times over: ten times the work"
    )
    options.add_device(parser)
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: as many as cores; 4 on a GPU)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the intervals (default: 0)")
    parser.add_argument("--force", action="store_true", help="replace another evaluation in RESULTS")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, and print a table."""
    import json

    from tubelet.cli.progress import progress
    from tubelet.evaluate.evaluation import Evaluation
    from tubelet.evaluate.protocols import find_protocol
    from tubelet.evaluate.run import evaluate

    evaluation = Evaluation(
        data=arguments.data,
        systems=tuple(arguments.systems),
        protocol=find_protocol(arguments.protocol),
        folder=arguments.output,
        manifest=arguments.manifest,
        measures=tuple(arguments.also),
        weights=tuple(_weights(text) for text in arguments.weights),
        latents=arguments.latents,
        drift=arguments.drift,
        keep=arguments.keep_videos,
        seed=arguments.seed,
        device=arguments.device,
        workers=arguments.workers,
        force=arguments.force,
    )
    with progress("evaluating", total=None, unit="clips") as advance:
        seen = 0

        def show(done: int, total: int) -> None:
            nonlocal seen
            advance.total = total
            advance(done - seen)
            seen = done

        path = evaluate(evaluation, on_part=show)
    content = json.loads(path.read_text(encoding="utf-8"))
    show_results(content)
    print(f"\nall figures: {printable(path)}")
    if damaged := [name for name, clip in content["figures"]["clips"].items() if clip.get("damage")]:
        warnings.warn(
            f"{len(damaged)} of {len(content['figures']['clips'])} clips are damaged, and the figures are of "
            f"what was read of them: {', '.join(damaged)}.",
            DamageWarning,
            stacklevel=1,
        )
    if failed := failed_clips(content["figures"]):
        warnings.warn(
            f"{len(failed)} of {len(content['figures']['clips'])} clips failed, and the figures are without "
            f"them: {', '.join(failed)}.",
            DamageWarning,
            stacklevel=1,
        )


def failed_clips(figures: dict[str, Any]) -> list[str]:
    """Names of the clips that some system has no figures of."""
    systems = figures["systems"].values()
    return [name for name in figures["clips"] if any("error" in each["clips"][name] for each in systems)]


def show_results(content: dict[str, Any]) -> None:
    """Print the protocol, a table of all clips, one of each tag, and what failed."""
    from tubelet.cli.console import show_table
    from tubelet.evaluate.summary import failures

    figures = content["figures"]
    count = len(figures["clips"])
    clips = f"{count} clip{'s' if count > 1 else ''} of {figures['data']}"
    print(f"{printable(content['protocol'])}\n{printable(clips)}\n")
    systems = figures["systems"]
    parts = {"": {name: system["summary"]["all"] for name, system in systems.items()}}
    tags = dict.fromkeys(
        (tag, value)
        for system in systems.values()
        for tag, values in system["summary"]["by_tag"].items()
        for value in values
    )
    for tag, value in tags:
        parts[f"{tag} {value}"] = {
            name: system["summary"]["by_tag"].get(tag, {}).get(value, {"clips": 0})
            for name, system in systems.items()
        }
    for title, summaries in parts.items():
        used = {
            head: place
            for head, place in _COLUMNS.items()
            if any(_cell(s, place) for s in summaries.values())
        }
        rows = [
            (name, str(summary["clips"]), *(_cell(summary, place) or "-" for place in used.values()))
            for name, summary in summaries.items()
        ]
        if title:
            print(f"\n{printable(title)}")
        show_table(rows, header=("system", "clips", *used))
    for note in [*failures(systems), *_exact(systems), *_notes(systems)]:
        print(printable(note))


def _cell(summary: dict[str, Any], place: tuple[str, str, int]) -> str:
    """A mean and half the width of its interval; nothing for what was not measured."""
    from tubelet.report.columns import Column, cell

    group, name, digits = place
    figure = summary.get(group, {}).get(name)
    if figure is None:
        return ""
    found = cell(figure, Column(group, name, name, digits))
    return f"{found.text} ±{found.half}" if found.half else found.text


def _exact(systems: dict[str, Any]) -> list[str]:
    """Which means leave clips out, because these came back without error."""
    found: dict[tuple[str, int, int], list[str]] = {}
    for name, system in systems.items():
        for head, (group, measure, _) in _COLUMNS.items():
            figure = system["summary"]["all"].get(group, {}).get(measure, {})
            if figure.get("exact") and figure["mean"] is not None:
                found.setdefault((name, figure["exact"], figure["clips"]), []).append(head)
    return [
        f"{name} has no error in {', '.join(heads)} on {exact} of {exact + clips} clips; "
        "the mean is of the others."
        for (name, exact, clips), heads in found.items()
    ]


def _notes(systems: dict[str, Any]) -> list[str]:
    """What must be read beside measures of sets: why one is absent, and that its set is small."""
    from tubelet.evaluate.sets import ENOUGH, RUN, SET_GROUP, SETS

    notes: dict[str, None] = {}
    for name, system in systems.items():
        summary = system["summary"]
        notes |= {f"{name} has no {measure}: {why}": None for measure, why in summary["absent"].items()}
        for measure in SETS:
            found = summary["all"].get(SET_GROUP, {}).get(measure)
            if found is not None and found["runs"] < ENOUGH:
                few = f"{found['runs']} runs of {RUN} frames from {found['clips']} clips"
                notes[f"{measure} is of {few}; below {ENOUGH} it is not an FVD to compare with papers."] = (
                    None
                )
    return list(notes)


def _weights(text: str) -> "Weights":
    """Read ``lpips=FILE:SHA256``."""
    from tubelet.errors import OptionError
    from tubelet.evaluate.weights import Weights

    network, equals, rest = text.partition("=")
    path, colon, digest = rest.rpartition(":")
    if not (equals and colon and path):
        raise OptionError(
            f"{text!r} names no weights; give NETWORK=FILE:SHA256, such as lpips=vgg.safetensors:…"
        )
    return Weights(network=network, path=Path(path), sha256=digest)
