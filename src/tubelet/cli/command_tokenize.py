"""Turn videos into tokens: whole numbers that a language model can be trained on.

The suffix of the output chooses the format: .tube (entropy-coded, with timestamps and audio, decoded from any
point), .npz (the digits of one clip, for numpy), .parquet (a table with a row for each clip, for data
loaders). Several inputs go into one .parquet file, or as .tube files into a folder; what cannot be read is
named and left out, and the exit code is 1.

for example:
  tubelet tokenize holiday.mp4 -o holiday.tube
  tubelet tokenize holiday.mp4 -o holiday.npz --tokenizer runs/my-tokenizer
  tubelet tokenize clips/*.mp4 -o clips.parquet
  tubelet tokenize cat.mp4 -o cat.parquet --caption "a cat asleep on a chair"
"""

import argparse
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tubelet.cli import options
from tubelet.cli.console import show_table
from tubelet.cli.progress import Progress, progress
from tubelet.errors import DamageWarning, OptionError, OutputError, TubeletError, VideoError
from tubelet.files import fitted_name
from tubelet.files.names import text_name

if TYPE_CHECKING:
    from tubelet.checkpoint import Checkpoint
    from tubelet.codec.tokens.tally import TokenReport
    from tubelet.tokenizers.discrete import DiscreteTokenizer

NAME = "tokenize"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="IN", help="videos, images, GIFs, or frames as .npy"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="file to write, or an existing folder"
    )
    parser.add_argument(
        "--caption",
        action="append",
        metavar="TEXT",
        help="what is seen, for .npz and .parquet; given once for each input, in their order",
    )
    options.add_tokenizer(parser)
    options.add_json(parser)
    options.add_common(parser)


def run(arguments: argparse.Namespace) -> None:
    """Tokenize, then say what the files hold."""
    from tubelet.codec.tokens.tokenize import as_discrete
    from tubelet.results import write_results

    targets = _targets(arguments.inputs, arguments.output)
    options.check_outputs(
        targets,
        arguments.json,
        inputs=arguments.inputs,
        tokenizer=arguments.tokenizer,
        force=arguments.force,
    )
    captions = _captions(arguments.caption, arguments.inputs, targets)
    checkpoint = as_discrete(arguments.tokenizer, arguments.device)
    work = _Work(arguments, checkpoint, captions)
    figures: list[dict[str, Any]] = []
    with progress("tokenizing", total=_total_frames(arguments.inputs)) as shown:
        for target, sources in targets.items():
            report = work.tokenize(sources, target, shown)
            if report is None:
                continue
            with options.tables_beside(arguments.json):
                show_table(_rows(target, report))
            rates = {"bits_per_pixel": report.bits_per_pixel, "nominal": report.nominal_bits_per_pixel}
            figures.append({"file": text_name(str(target)), **asdict(report), **rates})
    if not figures:
        raise VideoError(f"none of the {len(arguments.inputs)} clips gives tokens.")
    if arguments.json is not None:
        write_results(
            arguments.json,
            protocol="tubelet tokenize",
            figures={"files": figures, "skipped": work.skipped},
            force=arguments.force,
        )


class _Work:
    """Clips to files of tokens; of several clips, one that gives none is said and left out.

    Attributes:
        skipped: why, for each such clip.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        checkpoint: "Checkpoint[DiscreteTokenizer]",
        captions: list[str] | None,
    ) -> None:
        self._several = len(arguments.inputs) > 1
        self._arguments, self._checkpoint = arguments, checkpoint
        self._captions = captions
        self.skipped: dict[str, str] = {}

    def tokenize(self, sources: Sequence[Path], target: Path, shown: Progress) -> "TokenReport | None":
        """Fill one file; none if its only clip is left out."""
        from tubelet.codec.tokens.tokenize import tokenize_file, tokenize_files

        given = options.file_options(self._arguments, shown)
        if self._several:
            del given["on_total"]  # that of all clips is known
        if target.suffix.lower() == ".parquet":
            skip = self._skip if self._several else None
            return tokenize_files(
                sources, target, tokenizer=self._checkpoint, captions=self._captions, on_skip=skip, **given
            )
        caption = None if self._captions is None else self._captions[0]
        try:
            return tokenize_file(sources[0], target, tokenizer=self._checkpoint, caption=caption, **given)
        except TubeletError as error:
            if not self._several or isinstance(error, OutputError):
                raise
            self._skip(sources[0], error)
            return None

    def _skip(self, source: Path, error: TubeletError) -> None:
        self.skipped[text_name(str(source))] = text_name(str(error))
        warnings.warn(f"no tokens of {source.name}: {error}", DamageWarning, stacklevel=2)


def _total_frames(inputs: Sequence[Path]) -> int | None:
    """Frames of several clips, as they claim; none if one does not say, or cannot be read, or it is alone."""
    from tubelet.video.probe import probe

    if len(inputs) == 1:
        return None
    total = 0
    for source in inputs:
        try:
            frames = probe(source).frames
        except VideoError:
            return None
        if frames is None:
            return None
        total += frames
    return total


def _targets(inputs: Sequence[Path], output: Path) -> dict[Path, list[Path]]:
    """Which clips go into which file."""
    if not output.is_dir() and (len(inputs) == 1 or output.suffix.lower() == ".parquet"):
        return {output: list(inputs)}
    if not output.is_dir():
        raise OptionError(
            f"{len(inputs)} inputs go to {output}, which is not a folder; several go into one, or into one "
            ".parquet file. Create the folder, or name a .parquet file."
        )
    name, often = Counter(path.stem for path in inputs).most_common(1)[0]
    if often > 1:
        raise OptionError(
            f"{often} inputs are called {name!r}, and {name}.tube is one file; give each its own name."
        )
    return {output / fitted_name(path.stem, ".tube"): [path] for path in inputs}


def _captions(
    captions: list[str] | None, inputs: Sequence[Path], targets: Iterable[Path]
) -> list[str] | None:
    """The captions, one for each input; they are refused before any work is done."""
    if captions is None:
        return None
    if len(captions) != len(inputs):
        raise OptionError(f"--caption is given {len(captions)} times for {len(inputs)} inputs; each has one.")
    if any(target.suffix.lower() == ".tube" for target in targets):
        raise OptionError(".tube has no room for captions; write .npz or .parquet, or leave --caption out.")
    return captions


def _rows(path: Path, report: "TokenReport") -> list[tuple[str, str]]:
    """What a file of tokens holds, as rows of a table."""
    bases = ", ".join("x".join(map(str, token)) for token in report.bases)
    clips = "" if report.clips == 1 else f"{report.clips} clips, "
    rows = [
        ("file", str(path)),
        ("clip" if report.clips == 1 else "clips", f"{clips}{report.frames} frames, {report.steps} steps"),
        ("tokens", f"{report.tokens}, in digits of {bases}"),
        (
            "size",
            f"{options.bytes_text(report.bytes_total)}, {report.bits_per_pixel:.4f} bits per pixel; nominal "
            f"{report.nominal_bits_per_pixel:.4f}",
        ),
        ("entropy", f"{options.bytes_text(report.entropy_bytes)}, digit by digit"),
    ]
    for number, usage in enumerate(report.usage):
        place = "" if len(report.usage) == 1 else f" {number}"
        text = "too large to be counted"
        if usage is not None:
            text = f"{usage.used} of {usage.size} used ({usage.share:.1%}), perplexity {usage.perplexity:.0f}"
        rows.append((f"codebook{place}", text))
    return rows
