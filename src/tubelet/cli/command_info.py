"""Say what a video or a .tube file holds, without decoding it."""

import argparse
import json
from pathlib import Path

from tubelet.cli.console import show_table

NAME = "info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "input", type=Path, metavar="FILE", help="a video, an image, an array, or a .tube file"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> None:
    """Print what there is to know."""
    path = arguments.input
    facts = _tube_facts(path) if path.suffix.lower() == ".tube" else _video_facts(path)
    if arguments.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_table([(name, _text(value)) for name, value in facts.items()])


def _video_facts(path: Path) -> dict[str, object]:
    from tubelet.video.probe import probe

    facts: dict[str, object] = dict(probe(path).to_json())
    if isinstance(audio := facts.get("audio"), dict):
        # Set-up bytes of the codec mean nothing to a reader.
        facts["audio"] = {name: value for name, value in audio.items() if name not in {"extradata", "header"}}
    return facts


def _tube_facts(path: Path) -> dict[str, object]:
    from tubelet.bitstream.reader import TubeReader

    with TubeReader(path) as reader:
        header = reader.header
        times = reader.timestamps()
        numerator, denominator = header.time_base
        span = int(times[-1] - times[0]) * numerator / denominator if len(times) else 0.0
        return {
            "path": str(path),
            "format": "tube 1",
            "complete": reader.complete,
            "bytes": path.stat().st_size,
            "tokenizer": header.tokenizer,
            "tokenizer_sha256": header.tokenizer_sha256,
            "stride": "x".join(map(str, header.stride)),
            "lead_frame": header.lead_frame,
            "channels": header.channels,
            "width": header.width,
            "height": header.height,
            "frames": reader.frames,
            "last_frame_seconds": round(span, 6),
            "latent": f"{header.channels}x{reader.steps}x{header.latent_height}x{header.latent_width}",
            "chunks": len(reader.chunks),
            "time_base": f"{numerator}/{denominator}",
            "colour": header.colour,
            "source": header.source,
            "audio": None
            if header.audio is None
            else f"{header.audio.codec} {header.audio.sample_rate} Hz {header.audio.layout}",
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
