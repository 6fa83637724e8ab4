"""Which laws the autoencoders of diffusers keep: `python experiments/rival_laws.py [-o FILE] [--page FILE]`.

Protocol laws-tiny: every class in the smallest configuration that it can be built in, with random weights
(seed 0; what starts at a constant is moved by noise), float32 on a CPU, on noise of seed 1. Laws speak of
operators, not of weights: what breaks one with random weights breaks it with trained ones, by another
amount. Differences are the largest, in units of the standard deviation of the whole latent or video; 2e-5 of
the largest value (`tubelet.testing`) counts as rounding. Models are asked in their own interface, with their
own frame rule where it matters; where they have no interface for a question, the table says so.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rival_questions import (
    LENGTHS,
    NO_INTERFACE,
    Asked,
    Finding,
    after_refusal,
    any_length,
    any_size,
    behind_ours,
    causality,
    cut_decoding,
    cut_encoding,
    refuses_nan,
    seek,
    tiled_decoding,
    tiled_encoding,
)

from tubelet.interop.optional import diffusers_package
from tubelet.interop.rivals import DiffusersTokenizer
from tubelet.interop.tiny import TINY, tiny_model
from tubelet.models.klt.config import KLTConfig
from tubelet.results import write_results
from tubelet.testing import (
    LawBrokenError,
    check_any_clip,
    check_causality,
    check_cut_anywhere,
    check_prefixes,
    check_refuses_nan,
    check_resuming,
    check_seek_anywhere,
    check_state_is_bounded,
    check_tile_anywhere,
)
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.types import Stride

OURS = "tubelet (this package)"

MARKS = ("<!-- laws: begin -->", "<!-- laws: end -->")
"""Where a page wants the table."""

LAWS = {
    "length": "any length (law 4)",
    "size": "any size (law 4)",
    "cut_encode": "cut anywhere, encoding (law 1)",
    "cut_decode": "cut anywhere, decoding (law 1)",
    "tile_encode": "tile anywhere, encoding (law 2)",
    "tile_decode": "tile anywhere, decoding (law 2)",
    "causality": "past knows no future (law 3)",
    "seek": "seek anywhere (law 6)",
    "prefix": "prefixes are latents (law 7)",
    "nan": "damage is noticed (law 8)",
    "refusal": "a refused clip leaves no trace",
    "streams": "pieces of any length, bounded memory (laws 1 and 5)",
    "behind_ours": "any clip, through `open_diffusers` (law 4)",
}


def main() -> None:
    """Ask every class, write the findings as JSON, and print them or put them into a page of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("experiments/results/rival_laws.json"))
    parser.add_argument("--stored", action="store_true", help="ask nobody; take the findings that are stored")
    parser.add_argument("--page", type=Path, help="a page of Markdown that gets the table between its marks")
    arguments = parser.parse_args()
    if not arguments.stored:
        diffusers_package().utils.logging.set_verbosity_error()
        with torch.inference_mode():
            figures = tabled({OURS: ask_ours()} | {label: ask(label) for label in TINY})
        write_results(arguments.o, protocol=" ".join((__doc__ or "").split()), figures=figures)
    table = markdown(json.loads(arguments.o.read_text(encoding="utf-8"))["figures"])
    if arguments.page is None:
        print(table)
    else:
        before, _, rest = arguments.page.read_text(encoding="utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        page = f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}"
        arguments.page.write_text(page, encoding="utf-8")


def tabled(found: Mapping[str, Mapping[str, Finding]]) -> dict[str, Any]:
    """The findings as JSON holds them."""
    return {
        "diffusers": version("diffusers"),
        "laws": LAWS,
        "classes": {label: tiny.name for label, tiny in TINY.items()},
        "findings": {
            label: {law: asdict(finding) for law, finding in row.items()} for label, row in found.items()
        },
    }


def ask(label: str) -> dict[str, Finding]:
    """Ask one class everything."""
    print(f"{label} …", flush=True)
    asked = Asked(
        DiffusersTokenizer(tiny_model(label), decode_dtype=torch.float32), lambda: tiny_model(label)
    )
    questions: dict[str, Callable[[Asked], Finding]] = {
        "length": any_length,
        "size": any_size,
        "cut_encode": cut_encoding,
        "cut_decode": cut_decoding,
        "tile_encode": tiled_encoding,
        "tile_decode": tiled_decoding,
        "causality": causality,
        "seek": seek,
        "nan": refuses_nan,
        "refusal": after_refusal,
        "behind_ours": behind_ours,
    }
    return {law: questions[law](asked) if law in questions else NO_INTERFACE for law in LAWS}


def ask_ours() -> dict[str, Finding]:
    """A tiny tokenizer of this package with random networks, by the laws as `tubelet.testing` states them."""
    print(f"{OURS} …", flush=True)
    tokenizer = random_tokenizer()
    generator = torch.Generator().manual_seed(1)
    video = 2 * torch.rand(1, 3, 11, 37, 53, generator=generator) - 1

    def kept(check: Callable[[], None]) -> Finding:
        try:
            check()
        except LawBrokenError as error:
            return Finding(kept=False, says=str(error))
        return Finding(kept=True)

    def lengths() -> None:
        for frames in LENGTHS:
            check_any_clip(tokenizer, video[:, :, :frames, :32, :32])

    def streams() -> None:
        check_resuming(tokenizer, video, cut=5)
        check_state_is_bounded(tokenizer, video)

    any_cut = kept(lambda: check_cut_anywhere(tokenizer, video, cuts=[2, 3, 8]))
    any_tile = kept(lambda: check_tile_anywhere(tokenizer, video, tile=(2, 3)))
    return {
        "length": kept(lengths),
        "size": kept(lambda: check_any_clip(tokenizer, video)),
        "cut_encode": any_cut,
        "cut_decode": any_cut,
        "tile_encode": any_tile,
        "tile_decode": any_tile,
        "causality": kept(lambda: check_causality(tokenizer, video, changed=6)),
        "seek": kept(lambda: check_seek_anywhere(tokenizer, video)),
        "prefix": kept(lambda: check_prefixes(tokenizer, video, channels=3)),
        "nan": kept(lambda: check_refuses_nan(tokenizer, video)),
        "refusal": Finding(kept=None),
        "streams": kept(streams),
        "behind_ours": Finding(kept=None),
    }


def random_tokenizer() -> ContinuousTokenizer:
    """Networks whose residual branches are not zero."""
    config = KLTConfig(
        name="random",
        patches=(Stride(4, 8, 8),),
        coefficients=(12,),
        channels=12,
        width=16,
        encoder_blocks=1,
        decoder_blocks=2,
    )
    tokenizer = ContinuousTokenizer.of(config).eval().requires_grad_(requires_grad=False)
    generator = torch.Generator().manual_seed(0)
    for network in tokenizer.model.networks():
        for weights in network.parameters():
            fan_in = max(1, weights[0].numel())
            weights.copy_(torch.randn(weights.shape, generator=generator) / fan_in**0.5)
    return tokenizer


def markdown(figures: Mapping[str, Any]) -> str:
    """The findings as two tables: the verdicts at a glance, and what happened in words."""
    laws: Mapping[str, str] = figures["laws"]
    rows = {
        label: {law: Finding(**finding) for law, finding in row.items()}
        for label, row in figures["findings"].items()
    }
    glance = {label: [str(row[law].verdict) for law in laws] for label, row in rows.items()}
    lines = table(["", *laws.values()], glance)
    words = {
        label: [" <br> ".join(f"{short(laws[law])}: {row[law].says}" for law in laws if row[law].tells)]
        for label, row in rows.items()
        if label != OURS
    }
    return "\n".join([*lines, "", *table(["", "what happened"], words)])


def short(law: str) -> str:
    """A law without its number."""
    return law.partition(" (")[0]


def table(head: list[str], rows: Mapping[str, list[str]]) -> list[str]:
    """Lines of a table of Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join([label, *cells]) + " |" for label, cells in rows.items()]


if __name__ == "__main__":
    main()
