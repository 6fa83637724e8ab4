"""The parts of the page of figures that come from stored figures of other kinds, a file each."""

from collections import Counter
from pathlib import Path
from typing import Any

from tubelet.report.figures.parts import SCRIPTS, Part, begun, plain_table, spread


def tokens(folder: Path) -> Part:
    """How tokens use their codebook, what files of them take, and which digits depend on the way."""
    part = Part("Tokens")
    figures = begun(part, folder, "tokens256x33.json", "tubelet evaluate CLIPS --with tubelet-fsq --latents")
    if figures is None:
        return part
    part.say(
        "Usage and perplexity grow with the number of tokens that are counted: they compare at equal numbers",
        "only.",
    )
    rows = {name: _token_row(each) for name, each in figures["tokenizers"].items()}
    heads = [
        *("PSNR dB", "MS-SSIM", "motion dB", "tOF px", "nominal bits/px", "entropy bits/px"),
        *("tokens", "used of codebook", "perplexity", "total correlation, bits"),
    ]
    part.show(plain_table("tokenizer", heads, rows))
    for name, found in figures["tokenizers"].items():
        if "long" in found:
            frames, usage = found["long"]["frames"], found["long"]["tokens"]
            part.say(
                f"Over the first {frames} frames of each clip, {usage['count']:,} tokens, `{name}` uses",
                f"{100 * usage['share']:.1f} %, with a perplexity of {usage['perplexity']:,.0f}.",
            )
    _token_bytes(part, folder)
    _token_flips(part, folder)
    return part


def _token_row(found: dict[str, Any]) -> list[str]:
    usage = found["tokens"]
    return [
        f"{found['mean_psnr_db']:.2f}",
        f"{found['mean_ms_ssim']:.4f}",
        f"{found['mean_difference_psnr_db']:.2f}",
        f"{found['mean_tof_px']:.3f}",
        f"{found['nominal_bits_per_pixel']:.4f}",
        f"{found['entropy_bits_per_pixel']:.4f}",
        f"{usage['count']:,}",
        f"{usage['used']:,} of {usage['size']:,}",
        f"{usage['perplexity']:,.0f}",
        f"{usage['total_correlation']:.2f}",
    ]


def _token_bytes(part: Part, folder: Path) -> None:
    """What a file of tokens takes."""
    part.head("Files of tokens")
    figures = begun(
        part, folder, "token_bytes.json", "tubelet evaluate CLIPS --with tubelet-fsq --protocol native-all"
    )
    if figures is None:
        return
    for name, clips in figures.items():
        rows = {
            clip: [
                f"{found['tokens']:,}",
                f"{found['bits_per_pixel']:.4f}",
                f"{found['nominal_bits_per_pixel']:.4f}",
                f"{found['over_entropy']:.4f}",
            ]
            for clip, found in clips.items()
        }
        heads = ["tokens", "bits/px on disk", "nominal bits/px", "bytes over entropy"]
        part.show(plain_table(f"clip, through {name}", heads, rows))


def _token_flips(part: Part, folder: Path) -> None:
    """Digits that depend on the way."""
    part.head("Digits that fall to the other side")
    figures = begun(part, folder, "token_flips.json", f"python {SCRIPTS}/token_flips.py CLIPS")
    if figures is None:
        return
    rows = {
        way: [f"{found['digits']:,}", f"{found['differ']:,}", str(found["levels"])]
        for way, found in figures["against the stream"].items()
    }
    part.show(plain_table("way", ["digits", "differ", "by levels, at most"], rows, code=False))


def lookup(folder: Path) -> Part:
    """The nearest entry of a codebook, beside another library."""
    part = Part("Nearest entries of a codebook")
    figures = begun(part, folder, "vq_lookup.json", f"python {SCRIPTS}/vq_lookup.py")
    if figures is None:
        return part
    rows = {
        f"{int(count):,}": [
            spread(found["times_faster"]),
            *(f"{found['peak_mib'][name]:,.0f} MiB" for name in ("ours", "vector-quantize-pytorch")),
            str(found["indices_that_differ"]),
        ]
        for count, found in figures["positions"].items()
    }
    heads = ["times faster", "our peak memory", "theirs", "indices that differ"]
    part.show(plain_table("positions", heads, rows, code=False))
    return part


def deeper(folder: Path) -> Part:
    """Every shipped stride at several channels."""
    part = Part("Other strides")
    figures = begun(part, folder, "short256x33.json", "tubelet evaluate CLIPS --with klt-8x8x8@16 …")
    if figures is None:
        return part
    tokenizers = figures["tokenizers"]
    channels = sorted({int(count) for each in tokenizers.values() for count in each["mean_psnr_db"]})
    part.say(
        f"Mean PSNR in dB over {figures['clips']} clips, at so many channels. A channel of a",
        "deeper stride stands for more pixels, so columns compare tokenizers of one stride only.",
    )
    rows = {
        name: [_decibels(each["mean_psnr_db"].get(str(count))) for count in channels]
        for name, each in tokenizers.items()
    }
    part.show(plain_table("tokenizer", list(map(str, channels)), rows))
    return part


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def laws(folder: Path) -> Part:
    """How many laws each autoencoder keeps."""
    part = Part("Laws kept and broken")
    figures = begun(part, folder, "rival_laws.json", f"python {SCRIPTS}/rival_laws.py")
    if figures is None:
        return part
    part.say(
        "The laws are ours: whoever breaks one may never have meant to keep it. Which ones, and by how",
        "much: [rivals](rivals.md).",
    )
    rows = {
        label: [str(count[verdict]) for verdict in (True, False, None)]
        for label, row in figures["findings"].items()
        for count in [Counter(found["kept"] for found in row.values())]
    }
    part.show(plain_table("autoencoder", ["kept", "broken", "no interface for it"], rows, code=False))
    return part
