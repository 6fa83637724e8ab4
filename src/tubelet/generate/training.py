"""What the tasks of all generators have in common: their clips, and the clips that they show."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from einops import rearrange
from torch import Tensor, nn

from tubelet.errors import OptionError
from tubelet.files import locked, output_errors
from tubelet.files.marks import RUN_FILE
from tubelet.generate.captioned import CaptionedClips, CaptionedDigits, CaptionedLatents
from tubelet.generate.captions import RunCaptions, captions_of
from tubelet.generate.checkpoint import find_generator, read_network
from tubelet.generate.data_sets import DataSetClips, is_data_set
from tubelet.generate.kinds import KINDS, Network, Sampling, sample
from tubelet.generate.known_tokenizer import KnownTokenizer, continuous_of, read_tokenizer
from tubelet.generate.prompts import Prompts, PromptTable, is_of_prompts, known_prompts, prompts_of_clips
from tubelet.generate.scenes import SceneClips
from tubelet.generate.token_files import TokenFiles
from tubelet.generate.train_config import GeneratorTrainConfig
from tubelet.train.loop import RunOptions
from tubelet.train.processes import is_first_process
from tubelet.train.progress_messages import progress_messages
from tubelet.train.run_folder import End, check_free, read_run

_SHOWN = 4
"""Captions of which clips are shown in TensorBoard."""

Encoded = TypeVar("Encoded", CaptionedLatents, CaptionedDigits)

_FREE = (
    "name", "tokenizer", "steps", "rows", "columns", "fps",
    "words", "slots", "text_encoder", "text_sha256", "text_width",
)  # fmt: skip
"""What may differ between two networks of which one goes on with the weights of the other: names (the
tokenizer is known by its fingerprint), sizes of clips, and how prompts are said."""


def take_over(network: Network, start: str | None) -> None:
    """Give a new network the weights of a trained generator; none for no name.

    It may have another vocabulary and room for other numbers of words: words that both know keep what they
    mean, new ones are to be learnt. Where prompts are read by something else (a text encoder in place of a
    vocabulary, or another encoder), all of what they mean is.

    Args:
        network: as it is before training.
        start: a shipped generator or a folder.

    Raises:
        CheckpointError: it cannot be read.
        OptionError: it is a network of other sizes, or of another tokenizer.
    """
    if start is None:
        return
    given = _trained(start, network.kind)
    differing = [
        field.name
        for field in fields(network.config)
        if field.name not in _FREE
        and getattr(given.config, field.name) != getattr(network.config, field.name)
    ]
    if differing:
        raise OptionError(
            f"{start} and the generator to be trained differ in {', '.join(differing)}; weights go on in a "
            "network of the same sizes. Give the recipe the numbers of its card, or leave --start out."
        )
    trained, fresh = given.state_dict(), network.state_dict()
    if given.config.text_sha256 == network.config.text_sha256:
        prompts = known_prompts(trained, fresh, words=given.config.words, now=network.config.words)
    else:
        prompts = {name: weight for name, weight in fresh.items() if is_of_prompts(name)}
    others = {name: weight for name, weight in trained.items() if not is_of_prompts(name)}
    network.load_state_dict(others | prompts)


def _trained(start: str, kind: str) -> Network:
    """The generator that a run of a kind starts from.

    Raises:
        CheckpointError: it cannot be read.
        OptionError: it is of another kind.
    """
    given, _ = read_network(find_generator(start))
    if given.kind != kind:
        raise OptionError(
            f"{start} is a generator of kind {given.kind}, and {kind} is to be trained. Start from one of "
            "that kind, or leave --start out."
        )
    return given


def _check_start(config: GeneratorTrainConfig, kind: str) -> None:
    """Raise if a run cannot start from the generator that it names, as far as that is known without clips.

    Its weights are read here as well as when the run starts: that they are damaged is said before clips are
    encoded, and they are not held while that goes on.

    Raises:
        CheckpointError: the generator or the tokenizer cannot be read.
        OptionError: the generator is of another kind, tokenizer or size.
    """
    if config.start is None:
        return
    given = _trained(config.start, kind).config
    tokenizer = read_tokenizer(config.tokenizer)
    if given.tokenizer_sha256 != tokenizer.sha256:
        raise OptionError(
            f"{config.start} was trained with {given.tokenizer} ({given.tokenizer_sha256[:16]}…), and the "
            f"run's tokenizer is {tokenizer.name} ({tokenizer.sha256[:16]}…). Train with --tokenizer "
            f"{given.tokenizer}, or leave --start out."
        )
    differing = [
        f"{name} is {getattr(given, name)} there and {getattr(config, name)} here"
        for name in ("width", "blocks", "heads", "patch")
        if getattr(given, name) != getattr(config, name)
    ]
    if differing:
        raise OptionError(
            f"{config.start} and the generator to be trained differ: {', '.join(differing)}. Weights go on "
            "in a network of the same sizes: give these numbers, or leave --start out."
        )


def encode_run(
    config: GeneratorTrainConfig,
    data: Path | None,
    options: RunOptions,
    encode: Callable[..., Encoded],
    *,
    kind: str,
) -> tuple[Encoded, RunCaptions]:
    """What a run learns from: its clips encoded, and their captions; both are kept in its folder.

    What would refuse the run afterwards is looked at first, for clips take minutes: its end, and its start.

    Args:
        config: of the run.
        data: folder of captioned clips; rendered scenes for none.
        options: where it runs; one process of several encodes, and the others wait.
        encode: `encode_latents` or `encode_digits`.
        kind: of the generator.

    Raises:
        OptionError: the run has no end, or cannot start from what it names; there is no clip to train on,
            or the tokenizer gives nothing that fits; or the folder holds a run that is neither taken up nor
            replaced, or one that learns from other clips.
        CheckpointError: the tokenizer or the text encoder cannot be read.
        DatasetError: the data set is damaged.
        OutputError: another process works in the folder, or the disk is full or refuses something.
    """
    waits = not is_first_process()
    End.of(config, options.time_limit)
    _check_start(config, kind)
    with ExitStack() as stack:
        with output_errors(options.folder):
            options.folder.mkdir(parents=True, exist_ok=True)
        if not waits:
            # What another run maps, or learned from, is not written over.
            stack.enter_context(locked(options.folder))
            check_free(options.folder, resume=options.resume, force=options.force)
        source = _clips_of(config, data)
        if options.resume:
            _check_same(options.folder, source)
        clips = encode(
            config.tokenizer,
            source,
            options.folder,
            on_clip=progress_messages(options.on_message, "clips are encoded", every=1000),
            waits=waits,
        )
        captions = captions_of(
            config,
            clips.captions,
            options.folder,
            on_caption=progress_messages(options.on_message, "captions are encoded", every=1000),
            waits=waits,
        )
    return clips, captions


def _check_same(folder: Path, clips: CaptionedClips) -> None:
    """Raise if the run that is to go on learned from other clips, which would be written over.

    Raises:
        OptionError: it did.
        TrainingError: what the folder says of the run is damaged.
    """
    path = folder / RUN_FILE
    if path.is_file() and read_run(path).get("clips") != json.loads(json.dumps(clips.facts())):
        raise OptionError(
            f"the run in {folder} learns from other clips than those that are given. Resume with the same "
            "--data, or the same scenes, or start another run."
        )


def _clips_of(config: GeneratorTrainConfig, data: Path | None) -> CaptionedClips:
    """What a run is trained on: rendered scenes for none, or the captioned clips of a folder.

    Raises:
        OptionError: the folder holds neither a data set nor files of tokens.
        DatasetError: its data set is damaged.
    """
    if data is None:
        return SceneClips(config.scenes)
    return DataSetClips(data) if is_data_set(data) else TokenFiles(data)


def clips_as_strips(
    network: Network, captions: PromptTable, known: KnownTokenizer, sampling: Sampling
) -> dict[str, Tensor]:
    """A few clips made of captions, as strips of frames: a row for each.

    Args:
        network: as it is in training.
        captions: of all clips.
        known: the tokenizer.
        sampling: how clips are made.
    """
    config, tokenizer = network.config, continuous_of(known)
    chosen = range(0, len(captions), max(1, len(captions) // _SHOWN))[:_SHOWN]
    made = _made(network, prompts_of_clips(captions, chosen), sampling)
    latent = KINDS[network.kind].to_latent(known, made)
    grouping = tokenizer.grouping
    video = tokenizer.decode(
        latent.to(tokenizer.device, tokenizer.dtype),
        frames=grouping.first_frame(config.steps),
        height=config.rows * grouping.stride.h,
        width=config.columns * grouping.stride.w,
    )
    frames = video[:, :, :: max(1, grouping.stride.t)]
    return {"made": rearrange(frames, "b c t h w -> c (b h) (t w)").clamp(-1, 1) / 2 + 0.5}


def _made(network: Network, words: Prompts, sampling: Sampling) -> Tensor:
    """Clips of prompts, by a network that goes on being trained."""
    module: nn.Module = network
    config = network.config
    module.eval()
    shape = (config.steps, config.rows, config.columns)
    device = next(module.parameters()).device
    made = sample(network, words.to(device), seeds=list(range(len(words))), shape=shape, sampling=sampling)
    module.train()
    return made
