"""The files of the page: those that were built, a tokenizer as ONNX, its priors, and a clip to begin with."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np

from tubelet import __version__
from tubelet.checkpoint import Checkpoint
from tubelet.data.photographs import DEMO_FRAMES, check_photographs, moving_photographs
from tubelet.errors import OutputError
from tubelet.files import output_errors, replacing_folder
from tubelet.interop.onnx.export import DECODER, ENCODER, export_onnx
from tubelet.interop.onnx.opening import read_facts
from tubelet.priors.files import WEIGHTS, shipped_folders
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.types import Part
from tubelet.video.write import Writer

AnyCheckpoint = Checkpoint[ContinuousTokenizer] | Checkpoint[DiscreteTokenizer]
"""A page computes with a tokenizer of either kind."""

STATIC = Path(__file__).with_name("static")
"""What was built of ``web/``."""

FACTS, CLIP = "facts.json", "clip.mp4"
PRIORS, PRIOR_WEIGHTS = "priors.json", "priors.bin.gz"
MADE = (f"{ENCODER}.gz", f"{DECODER}.gz", FACTS, PRIORS, PRIOR_WEIGHTS, CLIP)
"""What is made for a tokenizer, beside what was built."""

CLIP_SIZE = (288, 512)
"""Rows and columns of the clip to begin with."""

_FORMAT = 3
"""Of what is kept between runs; other programs make their own."""


def static_names() -> list[str]:
    """The names of the files that were built."""
    return sorted(each.name for each in STATIC.iterdir())


def write_site(checkpoint: AnyCheckpoint, folder: Path, *, force: bool = False) -> Path:
    """Write the page as a folder that any web host can serve.

    Args:
        checkpoint: the tokenizer that it computes with, continuous or discrete.
        folder: where to.
        force: whether such a folder is replaced.

    Returns:
        The folder.

    Raises:
        OptionError: a package is missing, or the tokenizer has no form that browsers run.
        OutputError: the folder exists or cannot be written.
    """
    names = static_names()
    with replacing_folder(folder, holds=(*names, *MADE), force=force) as beside:
        for name in names:
            shutil.copyfile(STATIC / name, beside / name)
        _make(checkpoint, beside)
    return folder


@contextmanager
def site_files(checkpoint: AnyCheckpoint, cache: Path | None = None) -> Iterator[Mapping[str, Path]]:
    """The files of the page by name; what is made for a tokenizer is kept for the next time.

    Args:
        checkpoint: the tokenizer that it computes with, continuous or discrete.
        cache: folder of what is kept; ``~/.cache/tubelet`` by default. Where it cannot be written, a
            temporary one is used.

    Raises:
        OptionError: a package is missing, or the tokenizer has no form that browsers run.
    """
    built = {name: STATIC / name for name in static_names()}
    place = cache or default_cache()
    kept = None if place is None else place / f"page-{_FORMAT}-{__version__}-{checkpoint.sha256[:16]}"
    if kept is not None and _is_kept(checkpoint, kept):
        yield built | {name: kept / name for name in MADE}
        return
    with tempfile.TemporaryDirectory(prefix="tubelet-") as folder:
        _make(checkpoint, Path(folder))
        yield built | {name: Path(folder) / name for name in MADE}


def _is_kept(checkpoint: AnyCheckpoint, kept: Path) -> bool:
    """Make what is not there yet; say whether it is there then."""
    if not all((kept / name).is_file() for name in MADE):
        try:
            with replacing_folder(kept, holds=MADE, force=True) as beside:
                _make(checkpoint, beside)
        except (OutputError, OSError):
            return False
    return True


def default_cache() -> Path | None:
    """Where what is made is kept between runs; none for a user who has no home, as in containers."""
    try:
        return Path.home() / ".cache" / "tubelet"
    except RuntimeError:
        return None


def _make(checkpoint: AnyCheckpoint, folder: Path) -> None:
    """Write the files of `MADE`."""
    check_photographs()
    with output_errors(folder), tempfile.TemporaryDirectory(prefix="tubelet-") as place:
        exported = export_onnx(checkpoint, Path(place) / "onnx")
        for name in (ENCODER, DECODER):
            _pack((exported / name).read_bytes(), folder / f"{name}.gz")
        facts = json.dumps(asdict(read_facts(exported / ENCODER)), sort_keys=True)
        (folder / FACTS).write_text(facts + "\n", encoding="utf-8")
        parts = {part.name: part.channels for part in _parts_of(checkpoint)}
        write_priors(shipped_folders(checkpoint.sha256, parts), folder)
        _write_clip(folder / CLIP)


def write_priors(priors: Sequence[Path], folder: Path) -> None:
    """Write priors as the page reads them: what each says of itself, and the weights of all in one file.

    Args:
        priors: their folders; the first is the one that files name.
        folder: where to.
    """
    weights = [(prior / WEIGHTS).read_bytes() for prior in priors]
    facts = [
        json.loads((prior / "config.json").read_text(encoding="utf-8")) | {"size": len(own)}
        for prior, own in zip(priors, weights, strict=True)
    ]
    (folder / PRIORS).write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")
    _pack(b"".join(weights), folder / PRIOR_WEIGHTS)


def _parts_of(checkpoint: AnyCheckpoint) -> Sequence[Part]:
    """The parts of a latent; tokens have none."""
    tokenizer = checkpoint.tokenizer
    return tokenizer.parts if isinstance(tokenizer, ContinuousTokenizer) else ()


def _pack(content: bytes, target: Path) -> None:
    target.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))


def _write_clip(target: Path) -> None:
    """Scenes made of photographs, with the motion of a camera."""
    height, width = CLIP_SIZE
    with Writer(target, width=width, height=height, time_base=Fraction(1, 24)) as writer:
        for index, frame in enumerate(moving_photographs(DEMO_FRAMES, height=height, width=width)):
            writer.write(frame[None], np.array([index]))
