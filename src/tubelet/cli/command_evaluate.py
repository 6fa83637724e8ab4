"""Measure tokenizers and codecs on clips, by one protocol.

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
from typing import TYPE_CHECKING

from tubelet.cli import options, sources
from tubelet.cli.console import going_on
from tubelet.cli.tables import show
from tubelet.errors import DamageWarning, LossWarning
from tubelet.files import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tubelet.report.read import Results

NAME = "evaluate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    sources.add_sources(parser)
    sources.add_on_error(parser)
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
        help="tags of the clips (default: manifest.csv or .json in the folder of the clips)",
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
    from tubelet.cli.progress import progress
    from tubelet.evaluate.evaluation import Evaluation
    from tubelet.evaluate.protocols import find_protocol
    from tubelet.evaluate.run import evaluate
    from tubelet.report.read import read_own
    from tubelet.report.terminal import damaged_clips, failed_clips, losses

    only = Path(arguments.sources[0])
    in_folder = len(arguments.sources) == 1 and only.is_dir()
    evaluation = Evaluation(
        data=only if len(arguments.sources) == 1 else Path(_title(arguments.sources)),
        rows=None if in_folder else tuple(sources.rows_of(arguments)),
        on_error=arguments.on_error,
        systems=tuple(arguments.systems),
        protocol=find_protocol(arguments.protocol),
        folder=arguments.output,
        manifest=arguments.manifest,
        measures=tuple(arguments.also),
        weights=tuple(options.weights_of(text) for text in arguments.weights),
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
            advance.expect(total)
            advance(done - seen)
            seen = done

        with going_on(force=arguments.force):
            path = evaluate(evaluation, on_part=show)
    results = read_own(path)
    show_results(results)
    print(f"\nall figures: {printable(path)}")
    clips = len(results.figures["clips"])
    if lost := losses(results):
        text = f"{len(lost)} of {clips} clips lose something as they are read; the first, {lost[0]}"
        warnings.warn(text, LossWarning, stacklevel=1)
    if damaged := damaged_clips(results):
        warnings.warn(
            f"{len(damaged)} of {clips} clips are damaged, and the figures are of what was read of them: "
            f"{', '.join(damaged)}.",
            DamageWarning,
            stacklevel=1,
        )
    if failed := failed_clips(results):
        warnings.warn(
            f"{len(failed)} of {clips} clips failed, and the figures are without them: {', '.join(failed)}.",
            DamageWarning,
            stacklevel=1,
        )


def _title(given: "Sequence[str]") -> str:
    """What several sources are called."""
    return " + ".join(Path(each).name or each for each in given)


def show_results(results: "Results") -> None:
    """Print the protocol, a table of all clips, one of each tag, and what failed."""
    from tubelet.report.terminal import clips_line, evaluation_notes, evaluation_tables

    print(f"{printable(results.protocol)}\n{printable(clips_line(results))}\n")
    for table in evaluation_tables(results):
        show(table)
    for note in evaluation_notes(results):
        print(printable(note))
