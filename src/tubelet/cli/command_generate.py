"""Make a video of a prompt in plain English.

The generator makes latents or tokens, and its tokenizer decodes them; frames are written as they come, so a
clip may be of any length. The same seed gives the same video; the file's metadata say prompt, seed and model.
Words that the generator has not learned are named and left out; `tubelet models` lists the generators.

The suffix of the output chooses the format, as for `tubelet decode`. Of several videos, each gets its seed
into its name: OUT.mp4 becomes OUT-0.mp4, OUT-1.mp4 and so on.

for example:
  tubelet generate "a red circle moves quickly to the left" -o red.mp4
  tubelet generate "a large blue square moves up over a black background" -o blue.mp4 --seed 7 --count 4
  tubelet generate "a green cross goes down" -o long.mp4 --frames 65 --guidance 4
  tubelet generate "a white circle moves right" -o on.mp4 --image first.png
  tubelet generate "a red square moves down" -o tokens.mp4 --model my-masked --temperature 0.9
"""

import argparse
import re
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli import options
from tubelet.cli.console import show_table
from tubelet.cli.progress import progress
from tubelet.errors import OptionError
from tubelet.files import fitted_name
from tubelet.files.names import text_name
from tubelet.spelling import counted

if TYPE_CHECKING:
    from tubelet.generate.files import Request

NAME = "generate"

_MOST = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("prompt", metavar="PROMPT", help="what is to be seen")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="video to write")
    parser.add_argument(
        "--model", metavar="NAME|DIR", help="a shipped generator or the folder of one (default: tubelet-dit)"
    )
    parser.add_argument(
        "--tokenizer", metavar="DIR", help="where the generator's tokenizer lies, if it moved"
    )
    parser.add_argument(
        "--text", metavar="DIR", help="where the generator's text encoder lies, if it has one that moved"
    )
    parser.add_argument("--frames", type=int, metavar="T", help="of the video (default: those of training)")
    parser.add_argument(
        "--size", type=_size, metavar="WxH", help="of the video in pixels (default: that of training)"
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="the picture that the video begins with")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the noise (default: 0)")
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help="videos, of the next seeds too (default: 1)"
    )
    options.add_sampling(parser)
    options.add_device(parser)
    options.add_json(parser)
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Make the videos, and say what was written."""
    from tubelet.generate.checkpoint import read_generator
    from tubelet.generate.files import Request, generate_file

    request = Request(
        prompt=arguments.prompt,
        seed=arguments.seed,
        frames=arguments.frames,
        size=None if arguments.size is None else arguments.size[::-1],
        image=arguments.image,
    )
    targets = _targets(arguments.output, request, arguments.count)
    sources = [] if arguments.image is None else [arguments.image]
    options.check_outputs(targets, arguments.json, inputs=sources, force=arguments.force)
    model = read_generator(
        arguments.model, tokenizer=arguments.tokenizer, text=arguments.text, device=arguments.device
    )
    (sampling,) = options.samplings(arguments, [model])
    began = time.monotonic()
    videos: list[dict[str, object]] = []
    with progress("generating", unit="frames") as shown:
        for target, each in targets.items():
            request = replace(each, sampling=sampling)
            made = generate_file(request, target, model=model, force=arguments.force, on_frames=shown)
            videos.append(
                {"video": text_name(str(target)), "prompt": each.prompt, "seed": each.seed} | asdict(made)
            )
            frames = counted(made.frames, "frame")
            with options.tables_beside(arguments.json):
                show_table(
                    [
                        ("video", str(target)),
                        ("clip", f"{frames}, {made.width}x{made.height}, {made.fps:g} per second"),
                        ("made by", f"{model.name}, seed {each.seed}, {sampling}"),
                    ]
                )
    time_taken = time.monotonic() - began
    figures = {"model": model.name, "sampling": asdict(sampling), "videos": videos, "seconds": time_taken}
    options.show_result(arguments, [("time", f"{time_taken:.1f} s")], figures)


def _targets(output: Path, request: "Request", count: int) -> dict[Path, "Request"]:
    """Which video goes into which file."""
    if not 1 <= count <= _MOST:
        raise OptionError(f"--count is {count}; it lies between 1 and {_MOST}.")
    if count == 1:
        return {output: request}
    several = [replace(request, seed=request.seed + number) for number in range(count)]
    return {
        output.with_name(fitted_name(output.stem, f"-{each.seed}{output.suffix}")): each for each in several
    }


def _size(text: str) -> tuple[int, int]:
    """Read ``96x64``: columns and rows."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; give columns x rows, such as 96x64.")
    return int(match[1]), int(match[2])
