"""From a training run to a tokenizer that anybody can load."""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from tubelet.data.crops import Crops, open_crops
from tubelet.errors import OptionError, TrainingError
from tubelet.files import check_folder
from tubelet.files.marks import RUN_FILE
from tubelet.files.names import text_name
from tubelet.json_text import of_kind
from tubelet.metrics.usage import DigitUsage
from tubelet.models.klt.config import KLTConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.models.table import model_from_json
from tubelet.quantizers.digits import digits_by_token
from tubelet.tokenizers.config import DiscreteConfig, quantizer_from_json
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.save import FILES
from tubelet.train.average import read_average
from tubelet.train.card import crops_text, run_card
from tubelet.train.run_folder import read_run
from tubelet.train.state import checkpoints
from tubelet.train.tokenizer.batches import latents_of
from tubelet.train.tokenizer.network import Network
from tubelet.train.tokenizer.ready import MEASURED, OnWindows, make_ready, round_networks


def export_run(
    run: Path,
    folder: Path,
    *,
    data: Path | None = None,
    force: bool = False,
    on_windows: OnWindows = lambda _: None,
) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a tokenizer.

    The latent's mean and standard deviation are measured on the training data and become part of the
    tokenizer; matrices of networks are rounded to eight bits a number, their other weights and
    codebooks to bfloat16, the transform stays as it is.

    Args:
        run: folder of the run.
        folder: the checkpoint to write.
        data: where the prepared crops of the run are now; where they were when it began by default.
        force: replace a checkpoint that is there.
        on_windows: called with how many more of `MEASURED` windows are measured, again and again.

    Raises:
        OptionError: the folder holds no run with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a checkpoint is there and `force` is false.
    """
    name, facts = name_and_facts(run, folder, data=data, force=force)
    kind = {"kind": facts["kind"]} if "kind" in facts else {}
    model = model_from_json(facts["config"]["model"] | {"name": name} | kind, run)
    if not isinstance(model, KLTConfig | MotionConfig):
        raise TrainingError(
            f"{run} says that it trains a {type(model).__name__}, which such a run does not. Start it again."
        )
    numbers = facts["config"].get("quantizer")
    quantizer = None if numbers is None else quantizer_from_json(numbers, run)
    network = Network.build(model, quantizer)
    progress = read_average(run, network)
    network.eval().requires_grad_(requires_grad=False)
    tokenizer = network.tokenizer
    crops = open_crops(data or Path(facts["folder"]))
    if isinstance(model, KLTConfig) and quantizer is not None and network.quantizer is not None:
        round_networks(tokenizer)
        # Codebooks, and not the few numbers of which each has its own meaning.
        for key, each in network.state_dict().items():
            if key.startswith("quantizer.") and each.ndim > 1:
                each.copy_(each.to(torch.bfloat16))
        config = DiscreteConfig(name=name, backbone=model, quantizer=quantizer)
        discrete = DiscreteTokenizer(tokenizer, network.quantizer, config=config)
        card = card_of_run(
            name, tokenizer, run, facts, progress=progress, about=_tokens_text(discrete, crops, on_windows)
        )
        return discrete.save(folder, card=card, force=force)
    make_ready(tokenizer, crops, on_windows)
    card = card_of_run(name, tokenizer, run, facts, progress=progress, about=_latent_text(tokenizer))
    return tokenizer.save(folder, card=card, force=force)


class NameAndFacts(NamedTuple):
    """What a tokenizer is called, and what ``run.json`` says of the run that it comes from."""

    name: str
    facts: dict[str, Any]


def name_and_facts(run: Path, folder: Path, *, data: Path | None = None, force: bool) -> NameAndFacts:
    """Check that the tokenizer of a run may be written into a folder, and that there is one.

    Args:
        run: folder of the run.
        folder: the checkpoint to write; its name is the tokenizer's.
        data: the prepared crops, if they are read and are not where they were.
        force: whether a checkpoint that is there is replaced.

    Raises:
        OptionError: the run has no checkpoint.
        TrainingError: what it says of itself is damaged.
        OutputError: a checkpoint is there and `force` is false.
    """
    check_folder(folder, holds=FILES, sources=[run, *([] if data is None else [data])], force=force)
    return NameAndFacts(text_name(folder.resolve().name), read_facts(run))


def read_facts(run: Path) -> dict[str, Any]:
    """What ``run.json`` says of a run of a tokenizer that has a checkpoint.

    Raises:
        OptionError: there is none.
        TrainingError: it is damaged.
    """
    path = run / RUN_FILE
    if not path.is_file() or not checkpoints(run):
        raise OptionError(
            f"{run} holds no run with a checkpoint; give the folder that `tubelet train -o` was given, after "
            "its first checkpoint."
        )
    facts = read_run(path)
    try:
        of_kind(facts["config"]["model"], dict, "model")
        of_kind(facts["config"].get("quantizer") or {}, dict, "quantizer")
        of_kind(facts["folder"], str, "folder")
        of_kind(facts["clips"], list, "clips")
        of_kind(facts["crops"], int, "crops")
    except (KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r:.200}. Start the run again.") from error
    return facts


def _latent_text(tokenizer: ContinuousTokenizer) -> str:
    exact = [part.name for part in tokenizer.parts if part.exact]
    beside = f", beside {' and '.join(exact)}" if exact else ""
    ordered = f"{tokenizer.channels} ordered channels of zero mean and unit variance"
    return f"A continuous tokenizer: {ordered}{beside}"


def _tokens_text(tokenizer: DiscreteTokenizer, crops: Crops, on_windows: OnWindows) -> str:
    """What the tokens are, and how much of each codebook the data use."""
    bases = tokenizer.bases
    usages = [DigitUsage((token,)) for token in bases]
    for latent in latents_of(tokenizer.backbone, crops, windows=MEASURED):
        digits = tokenizer.quantizer.quantize(latent)
        for usage, own in zip(usages, digits_by_token(digits, bases), strict=True):
            usage.update(own)
        on_windows(len(latent))
    found = [usage.compute().joint for usage in usages]
    sizes = " x ".join(map(str, tokenizer.codebook_sizes))
    shares = " and ".join(f"{100 * each.share:.1f} %" for each in found)
    perplexities = " and ".join(f"{each.perplexity:.0f}" for each in found)
    return (
        f"A discrete tokenizer of {sizes} values per position, of which {found[0].count} positions of the "
        f"training data use {shares}, with a perplexity of {perplexities}"
    )


def card_of_run(
    name: str,
    tokenizer: ContinuousTokenizer,
    run: Path,
    facts: dict[str, Any],
    *,
    progress: float,
    about: str,
) -> str:
    """What the tokenizer is, what it was made from, and how it went."""
    weights = sum(parameter.numel() for parameter in tokenizer.parameters())
    what = (
        f"{about}. Stride {tokenizer.stride}, {weights / 1e6:.2f} million weights,\n"
        f"{tokenizer.flops_per_pixel() / 1e6:.3f} MFLOP per pixel to encode and decode."
    )
    return run_card(
        name,
        run,
        facts,
        progress=progress,
        about=what,
        clips=crops_text(facts),
        notes=[f"**Quality**: measure it with `tubelet evaluate CLIPS --with {name} -o figures`."],
        curve={"gradient": lambda line: line["gradient"]},
    )
