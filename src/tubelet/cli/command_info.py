"""Say what a video or a .tube file holds, without decoding it.

for example:
  tubelet info holiday.mp4
  tubelet info holiday.mp4 --check
"""

import argparse
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli.console import show_table
from tubelet.errors import DamageWarning

if TYPE_CHECKING:
    from tubelet.bitstream.reader import TubeReader

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "input", type=Path, metavar="FILE", help="a video, an image, an array, or a .tube file"
    )
    parser.add_argument("--check", action="store_true", help="read all of a video, and say what is damaged")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Print what there is to know."""
    path = arguments.input
    facts = _tube_facts(path) if path.suffix.lower() == ".tube" else _video_facts(path, check=arguments.check)
    if arguments.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_table([(name, _text(value)) for name, value in facts.items()])


def _video_facts(path: Path, *, check: bool) -> dict[str, object]:
    from tubelet.video.probe import probe

    info = probe(path)
    facts: dict[str, object] = dict(info.to_json())
    damage = [f"{path} is cut short: {info.damage}."] if info.damage else []
    if check:
        damage = _damage_of(path)
    facts["damage"] = " ".join(damage) or None
    for each in damage:
        warnings.warn(each, DamageWarning, stacklevel=1)
    if isinstance(audio := facts.get("audio"), dict):
        # Set-up bytes of the codec mean nothing to a reader.
        facts["audio"] = {name: value for name, value in audio.items() if name not in {"extradata", "header"}}
    return facts


def _damage_of(path: Path) -> list[str]:
    """What reading all of a video says of damage."""
    from tubelet.video.read import read

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in read(path):
            pass
    return [str(each.message) for each in heard if issubclass(each.category, DamageWarning)]


def _tube_facts(path: Path) -> dict[str, object]:
    from tubelet.bitstream.reader import TubeReader

    with TubeReader(path) as reader:
        header = reader.header
        numerator, denominator = header.time_base
        first, last = (reader.time_of(0), reader.time_of(reader.frames - 1)) if reader.frames else (0, 0)
        span = (last - first) * numerator / denominator
        end = None if reader.end is None else round((reader.end - first) * numerator / denominator, 6)
        pixels = reader.frames * header.height * header.width
        bits = 8 * (path.stat().st_size - reader.bytes_audio)
        return {
            "path": str(path),
            "format": f"tube {header.version}",
            "complete": reader.complete,
            "bytes": path.stat().st_size,
            "tokenizer": header.tokenizer,
            "tokenizer_sha256": header.tokenizer_sha256,
            "stride": "x".join(map(str, header.stride)),
            "lead_frame": header.lead_frame,
            **_content_facts(reader),
            "width": header.width,
            "height": header.height,
            "frames": reader.frames,
            "last_frame_seconds": round(span, 6),
            "duration_seconds": end,
            "bits_per_pixel": round(bits / pixels, 6) if pixels else None,
            "chunks": len(reader.chunks),
            "time_base": f"{numerator}/{denominator}",
            "colour": header.colour,
            "source": header.source,
            "audio": None
            if header.audio is None
            else f"{header.audio.codec} {header.audio.sample_rate} Hz {header.audio.layout}",
        }


def _content_facts(reader: "TubeReader") -> dict[str, object]:
    """What is special to a latent, or to tokens."""
    header = reader.header
    cells = f"{reader.steps}x{header.latent_height}x{header.latent_width}"
    if not header.bases:
        return {"channels": header.channels, "latent": f"{header.channels}x{cells}"}
    sizes = [math.prod(token) for token in header.bases]
    bits = math.fsum(map(math.log2, sizes)) * reader.steps * header.latent_height * header.latent_width
    pixels = reader.frames * header.height * header.width
    return {
        "tokens_per_position": len(sizes),
        "codebook_sizes": sizes,
        "bases": ["x".join(map(str, token)) for token in header.bases],
        "tokens": f"{len(sizes)}x{cells}",
        "nominal_bits_per_pixel": round(bits / pixels, 6) if pixels else None,
    }


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
        case list():
            return "; ".join(_text(each) for each in value) or "none"
        case _:
            return str(value)
