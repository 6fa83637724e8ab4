"""Make docs/zoo.md, the table of all that is shipped: `python -m tubelet.report.zoo`, in the repository.

What tokenizers and generators are is read from their configurations; how good and how fast they are, from
stored results. Nothing is measured here.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any

from tubelet import further
from tubelet.checkpoint import find, shipped
from tubelet.evaluate.results_file import RESULTS
from tubelet.files import replacing
from tubelet.generate.checkpoint import find_generator, shipped_generators
from tubelet.report.figures.parts import STORED, plain_table, read_stored
from tubelet.report.markup import ABSENT, markdown_table
from tubelet.report.shipped import ShippedTokenizer, describe

TOKENIZERS = Path("src") / "tubelet" / "weights"
GENERATORS = Path("src") / "tubelet" / "generate" / "weights"
FURTHER = Path("further") / "src" / "tubelet_weights"
"""Folders of what is shipped, in the repository that this page is of."""

EVALUATIONS = ("dev", "dev-more", "dev-motion", "dev-predict", "dev-rate", "dev-vae")
"""Folders of results of one protocol on the same clips."""

CASE = {"frames": 17, "width": 256, "height": 256}
"""The clip at which speed is told."""

SAME_FRAMES = {"tubelet-flow": "tubelet-s"}
"""Tokenizers whose frames, where nothing is left to chance, are those of another one bit for bit."""

ANSWERS = ("colour", "shape", "direction", "speed", "all")
"""What is read from the clips of a generator."""

_BEGIN = f"""\
# Model zoo

Made by `python -m tubelet.report.zoo` from what is shipped and from the files in `{STORED}`, not by hand.
Everything here comes with the package or, where so said, with the distribution `tubelet-weights`:
`tubelet.load(NAME)`, `tubelet.load_discrete(NAME)`, `--tokenizer NAME`, `--model NAME`. How they were made,
from what, and where they are weak, stands in their cards.

With `tubelet-weights`: {", ".join(f"`{name}`" for name in (*further.TOKENIZERS, *further.GENERATORS))}.
"""

_TOKENIZERS = """\
*Numbers in : out* is at all channels; channels are ordered and any first ones are a latent, so fewer give
more. Quality is the mean of 16 clips that none was fitted to or trained on, by protocol `short256x33` (33
frames, short side 256), at what stands behind it: the first 16 channels of a latent that is not
quantised, at other strides as many as make the same numbers per pixel, or all; or tokens. *Motion dB* is
the PSNR of the differences of consecutive frames. `tubelet-flow` stands for its frames without a step of
its flow, which are those of `tubelet-s`; what its flow adds is in [flows](guides/flow.md), what
`tubelet-predict` continues in [predictions](guides/predict.md). No perceptual distance is stored: its
networks have weights that this repository may not carry. Speed is encoding and decoding 17 frames of
256 x 256 on two cores, the fastest number format of each (`tubelet bench`). `-` stands where nothing was
measured. [Figures](figures.md) has other rates, codecs beside them, and intervals.
"""

_CHANNELS = """\
Mean PSNR in dB of 16 clips by the channels that are kept, in protocol `short256x33` version 1, in which
chroma lies half a pixel beside where the version of above has it: the two tables differ by up to 0.02 dB.
`tubelet-m` was measured again later, by the version of above.
"""

_GENERATORS = """\
Right answers on prompts whose combinations of colour, shape and direction training shows, and holds back,
read from the pixels by rules ([generators](guides/generate.md)); `tubelet evaluate-generation NAME -o
RESULTS`.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path(STORED), metavar="FOLDER")
    parser.add_argument("--page", type=Path, default=Path("docs") / "zoo.md", metavar="FILE")
    arguments = parser.parse_args()
    with replacing(arguments.page, force=True) as path:
        path.write_text(zoo_text(arguments.results), encoding="utf-8")
    sys.stderr.write(f"{arguments.page}\n")


def zoo_text(stored: Path) -> str:
    """The page, from a folder of stored results and from what is shipped."""
    tokenizers = [describe(name) for name in shipped()]
    blocks = [_BEGIN, "## Tokenizers", _TOKENIZERS, _tokenizer_table(tokenizers, stored)]
    blocks += ["## Fewer channels", _CHANNELS, _channel_table(stored)]
    blocks += ["## Generators", _GENERATORS, _generator_table(stored)]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _tokenizer_table(tokenizers: Sequence[ShippedTokenizer], stored: Path) -> str:
    """What they are, how good and how fast."""
    systems: dict[str, Any] = {}
    for folder in EVALUATIONS:
        results = read_stored(stored / folder, RESULTS)
        systems |= results["figures"]["systems"] if results else {}
    bench = read_stored(stored, "bench.json")
    rows = {}
    for each in tokenizers:
        quality = _quality(each, systems)
        rows[each.name] = [
            "x".join(map(str, each.stride)),
            _gives(each),
            f"{each.numbers_in_per_number_out:,.0f}:1",
            *quality,
            _speed(each.name, bench["figures"]["rows"] if bench else []),
            f"{each.mflop_per_pixel:.4f}",
            f"{each.million_weights:.2f}",
            f"{each.bytes / 1e6:.2f}",
            _licence(find(each.name)),
            "",
        ]
    heads = (
        *("stride", "gives", "numbers in : out", "PSNR dB", "MS-SSIM", "motion dB", "at"),
        *("Mpx/s", "MFLOP/px", "million weights", "MB", "licence", "card"),
    )
    return _linked(markdown_table(plain_table("tokenizer", heads, rows)), rows)


def _gives(tokenizer: ShippedTokenizer) -> str:
    sizes = tokenizer.codebook_sizes
    if sizes is None:
        return f"1 to {tokenizer.channels} channels"
    return f"{len(sizes)} token{'s' if len(sizes) > 1 else ''} of {sizes[0]:,}"


def _quality(tokenizer: ShippedTokenizer, systems: dict[str, Any]) -> tuple[str, ...]:
    """PSNR, MS-SSIM and PSNR of motion, and at how many channels."""
    channels = _channels_of(tokenizer)
    tokens = tokenizer.codebook_sizes is not None
    name = SAME_FRAMES.get(tokenizer.name, tokenizer.name)
    system = systems.get(name if tokens else f"{name}@{channels}")
    if system is None:
        return (ABSENT,) * 4
    means = [
        fmean(clip["figures"][name] for clip in system["clips"].values())
        for name in ("psnr_db", "ms_ssim", "difference_psnr_db")
    ]
    at = "tokens" if tokens else f"{channels} channels"
    return f"{means[0]:.2f}", f"{means[1]:.4f}", f"{means[2]:.2f}", at


def _channels_of(tokenizer: ShippedTokenizer) -> int:
    """As many channels as give the numbers per pixel of 16 at a stride of 4x8x8, or all there are."""
    return min(tokenizer.channels, max(1, 16 * prod(tokenizer.stride) // prod((4, 8, 8))))


def _speed(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Megapixels per second there and back, of the fastest number format that was measured."""
    found = [
        row["both_mpx_per_s"]["median"]
        for row in rows
        if row["system"] == name and "both_mpx_per_s" in row and CASE.items() <= row.items()
    ]
    return f"{max(found):.2f}" if found else ABSENT


def _channel_table(stored: Path) -> str:
    """PSNR by the number of channels that are kept."""
    content = read_stored(stored, "short256x33.json")
    if content is None:
        return f"`{STORED}/short256x33.json` is not there."
    means = {name: each["mean_psnr_db"] for name, each in content["figures"]["tokenizers"].items()}
    counts = sorted({int(count) for each in means.values() for count in each})
    rows = {
        name: [f"{each[str(count)]:.2f}" if str(count) in each else ABSENT for count in counts]
        for name, each in means.items()
    }
    return markdown_table(plain_table("channels", [str(count) for count in counts], rows))


def _generator_table(stored: Path) -> str:
    """What generators are, and how often they show what a prompt says."""
    models: dict[str, Any] = {}
    for path in sorted(stored.glob("generation*.json")):
        content = read_stored(stored, path.name)
        models |= content["figures"]["models"] if content else {}
    rows = {}
    for folder in map(find_generator, shipped_generators()):
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = facts["config"]
        rows[folder.name] = [
            facts["generator"],
            config["tokenizer"],
            f"{config['steps']} steps of {config['rows']}x{config['columns']}",
            f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.2f}",
            *_answers(models.get(folder.name, {})),
            _licence(folder),
            "",
        ]
    heads = ("kind", "tokenizer", "at once", "MB", *(f"{part} %" for part in ANSWERS), "licence", "card")
    return _linked(markdown_table(plain_table("generator", heads, rows)), rows)


def _answers(model: dict[str, Any]) -> Iterator[str]:
    """Shares of right answers in percent: on seen combinations / on those held back."""
    for part in ANSWERS:
        shares = [model[group]["right"][part] for group in ("seen", "held-out") if group in model]
        yield " / ".join(f"{100 * share:.0f}" for share in shares) or ABSENT


def _licence(folder: Path) -> str:
    """What the header of a card says."""
    text = (folder / "card.md").read_text(encoding="utf-8")
    found = re.match(r"---\n(?:.*\n)*?license: (\S+)\n", text)
    return found[1] if found else ABSENT


def _linked(table: str, names: Sequence[str] | dict[str, Any]) -> str:
    """The table with a link to each card in its last column."""
    lines = table.splitlines()
    for place, name in enumerate(names, start=2):
        lines[place] = lines[place].removesuffix("|").rstrip() + f" {_card(name)} |"
    return "\n".join(lines)


def _card(name: str) -> str:
    places = (GENERATORS, TOKENIZERS, FURTHER / "weights", FURTHER / "generators")
    folder = next(each for each in places if (each / name).is_dir())
    return f"[card](../{(folder / name / 'card.md').as_posix()})"


if __name__ == "__main__":
    main()
