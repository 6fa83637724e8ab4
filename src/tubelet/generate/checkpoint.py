"""A generator as a folder: ``config.json``, ``weights.safetensors`` and ``card.md``."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tubelet import further
from tubelet.devices import find_device
from tubelet.errors import CheckpointError, OptionError
from tubelet.files import replacing_folder
from tubelet.files.names import is_name, text_name
from tubelet.further import further_folders
from tubelet.generate.dit.network import DiT
from tubelet.generate.kinds import KINDS, Network, NetworkConfig
from tubelet.generate.known_tokenizer import KnownTokenizer, read_tokenizer
from tubelet.generate.prompts import PromptReader, WordReader
from tubelet.generate.text import PromptVocabulary
from tubelet.generate.text_encoder import EncoderReader, read_text_encoder
from tubelet.generate.tokens.digits import split_bases
from tubelet.json_fields import fields_from_json
from tubelet.json_text import read_json
from tubelet.spelling import did_you_mean
from tubelet.tokenizers.discrete import DiscreteTokenizer
from tubelet.tokenizers.save import widened
from tubelet.weights_file import read_weights, weights_to_bytes

FORMAT = 1
"""The newest format of a generator."""

WEIGHTS = "weights.safetensors"

FILES = ("config.json", WEIGHTS, "card.md")
"""What the folder of a generator holds."""

SHIPPED = Path(__file__).parent / "weights"
"""The folder of the generators that come with the package."""

DEFAULT = "tubelet-dit"
"""The shipped generator that is meant when none is named."""

_CONFIG_BYTES = 1 << 20
_LARGEST = 1 << 32
"""Weights that a configuration may claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToVideo:
    """A generator, who it is, and the tokenizer that decodes what it makes.

    Attributes:
        name: what files call it.
        network: ready to use: evaluation mode, no gradients.
        sha256: of its configuration and weights.
        tokenizer: whose latents or tokens it makes.
        prompts: what reads prompts for the network.
    """

    name: str
    network: Network
    sha256: str
    tokenizer: KnownTokenizer
    prompts: PromptReader


def save_generator(network: Network, folder: Path, *, card: str, force: bool = False) -> Path:
    """Write a generator; matrices take one byte a number, or two, where that loses nothing.

    Args:
        network: with its configuration.
        folder: where; its name becomes the generator's.
        card: says in Markdown what it was made from and how good it is.
        force: replace a generator that is there.

    Raises:
        OutputError: a generator is there and `force` is false; or the disk is full or refuses it.
    """
    config = replace(network.config, name=text_name(folder.resolve().name))
    weights = {name: each.detach().cpu().contiguous() for name, each in network.state_dict().items()}
    facts = {
        "format": FORMAT,
        "generator": network.kind,
        "config": asdict(config),
        "sha256": fingerprint(config, weights),
    }
    with replacing_folder(folder, holds=FILES, force=force) as beside:
        (beside / WEIGHTS).write_bytes(weights_to_bytes(weights))
        (beside / "card.md").write_text(card, encoding="utf-8")
        (beside / "config.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return folder


def read_generator(
    name: str | Path | None = None,
    *,
    tokenizer: str | Path | None = None,
    text: str | Path | None = None,
    device: str = "cpu",
) -> TextToVideo:
    """Read a generator, and the tokenizer that decodes what it makes; nothing in them is executed.

    Args:
        name: a shipped generator or a folder; the default generator for none.
        tokenizer: where the tokenizer lies now; where it was in training for none.
        text: where the text encoder lies now; where it was in training for none. A generator that knows words
            by itself has none.
        device: where all compute: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: one of them is unknown, damaged or newer than this program, or they do not belong
            together.
        OptionError: there is no such device here; or `text` is given, and there is no text encoder; or
            transformers is not installed, and there is one.
    """
    place, folder = find_device(device), find_generator(DEFAULT if name is None else name)
    network, sha256 = read_network(folder)
    try:
        known = read_tokenizer(str(tokenizer or network.config.tokenizer), device=device)
    except CheckpointError as error:
        raise CheckpointError(
            f"the generator in {folder} needs the tokenizer {network.config.tokenizer} of its training: "
            f"{error} If it moved, say where it lies (--tokenizer)."
        ) from error
    if known.sha256 != network.config.tokenizer_sha256:
        raise CheckpointError(
            f"the generator in {folder} was trained with {network.config.tokenizer} of SHA-256 "
            f"{network.config.tokenizer_sha256:.16}…, and {known.name} has {known.sha256:.16}…. Name the "
            "tokenizer that it was trained with."
        )
    _check_digits(network, known, folder)
    network.eval().requires_grad_(requires_grad=False)
    return TextToVideo(
        name=network.config.name,
        network=network.to(place),
        sha256=sha256,
        tokenizer=known,
        prompts=_prompt_reader(network.config, text, folder, device),
    )


def read_network(folder: Path) -> tuple[Network, str]:
    """The network of a generator alone, and its fingerprint.

    Raises:
        CheckpointError: it is damaged or newer than this program.
    """
    network, sha256 = read_empty_generator(folder)
    weights = read_weights(folder / WEIGHTS, network.state_dict())
    network.load_state_dict({key: widened(each) for key, each in weights.items()}, assign=True)
    own = fingerprint(network.config, network.state_dict())
    if own != sha256:
        raise CheckpointError(
            f"the generator in {folder} has SHA-256 {own[:16]}… and its config.json says {sha256!s:.16}…; "
            "they must agree. It was changed or damaged: fetch it again."
        )
    if isinstance(network, DiT) and float(network.deviation.min()) <= 0:
        raise CheckpointError(f"in {folder} a channel has no deviation. Fetch the weights again.")
    return network, own


def read_empty_generator(folder: Path) -> tuple[Network, str]:
    """The network of a generator without memory for its weights, and the fingerprint that it should have.

    Raises:
        CheckpointError: the configuration is missing, damaged or newer than this program.
    """
    path = folder / "config.json"
    try:
        facts = read_json(path, most=_CONFIG_BYTES)
        version, kind, numbers, sha256 = (facts[key] for key in ("format", "generator", "config", "sha256"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a generator of tubelet: {error!r:.200}. Fetch it again."
        ) from error
    if version != FORMAT or not isinstance(kind, str) or kind not in KINDS:
        raise CheckpointError(
            f"{path} holds a {kind!r:.40} of format {version!r:.40}; this program reads {', '.join(KINDS)}, "
            f"of format {FORMAT}. Upgrade it."
        )
    return _empty(kind, numbers, folder), sha256


def find_generator(name: str | Path) -> Path:
    """The folder of a generator, by the name of a shipped one or the path of a folder.

    Of a shipped one and a folder here the name stands for the first, ``./name`` for the second.

    Raises:
        CheckpointError: there is none.
    """
    places = _generator_folders() if is_name(name) else ()
    for folder in (*(place / name for place in places), Path(name)):
        if (folder / "config.json").is_file():
            return folder
    if name in further.GENERATORS:
        raise CheckpointError(further.how_to_install(str(name)))
    known = did_you_mean(str(name), shipped_generators())
    known = known or f"shipped are {', '.join(shipped_generators()) or 'none'}."
    raise CheckpointError(
        f"{str(name)!r} is neither a shipped generator nor a folder with a config.json; {known} "
        "`tubelet train dit -o RUN`, or masked or ar, and `tubelet export-checkpoint RUN` make one."
    )


def shipped_generators() -> list[str]:
    """Names of the generators that come with the package and with tubelet-weights."""
    return sorted(
        folder.name
        for place in _generator_folders()
        for folder in place.iterdir()
        if (folder / "config.json").is_file()
    )


def _generator_folders() -> Iterator[Path]:
    """Where generators that are called by name lie: in the package, and in tubelet-weights if it is there."""
    yield SHIPPED
    yield from further_folders("generators")


def fingerprint(config: NetworkConfig, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a generator's latents depend on; names do not change it."""
    absent = () if config.text_encoder else ("text_sha256", "text_width")
    left_out = {"name", "tokenizer", "text_encoder", *absent}
    numbers = {key: value for key, value in asdict(config).items() if key not in left_out}
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _empty(kind: str, numbers: object, folder: Path) -> Network:
    """The network of a configuration, without memory for its weights, whatever sizes it claims."""
    try:
        config = fields_from_json(KINDS[kind].config, numbers, str(folder / "config.json"))
    except OptionError as error:
        raise CheckpointError(
            f"the configuration in {folder} makes no generator: {error!s:.200}. Fetch it again."
        ) from error
    if config.claimed_weights > _LARGEST:
        raise CheckpointError(
            f"the configuration in {folder} claims over {_LARGEST} weights. Fetch it again."
        )
    with torch.device("meta"):
        return KINDS[kind].network(config)


def _prompt_reader(config: NetworkConfig, text: str | Path | None, folder: Path, device: str) -> PromptReader:
    """What reads prompts for a network: its words, or its text encoder.

    Raises:
        CheckpointError: the text encoder is missing, or another one.
        OptionError: one is named that is not wanted, or transformers is not installed.
    """
    if not config.text_encoder:
        if text is not None:
            raise OptionError(
                f"the text encoder {str(text)!r} is given, and the generator in {folder} knows words by "
                "itself. Leave it out."
            )
        return WordReader(PromptVocabulary(config.words), config.slots)
    try:
        encoder = read_text_encoder(str(text or config.text_encoder), device=device)
    except CheckpointError as error:
        raise CheckpointError(
            f"the generator in {folder} reads prompts with the text encoder {config.text_encoder}: {error}"
        ) from error
    if encoder.sha256 != config.text_sha256:
        raise CheckpointError(
            f"the generator in {folder} was trained with the text encoder {config.text_encoder} of SHA-256 "
            f"{config.text_sha256:.16}…, and {encoder.name} has {encoder.sha256:.16}…. Name the one that it "
            "was trained with."
        )
    return EncoderReader(encoder, config.slots)


def _check_digits(network: Network, known: KnownTokenizer, folder: Path) -> None:
    """See whether a network of tokens makes those that its tokenizer has.

    Raises:
        CheckpointError: it does not.
    """
    if isinstance(network, DiT):
        return
    bases = split_bases(known.tokenizer.bases) if isinstance(known.tokenizer, DiscreteTokenizer) else None
    if bases != network.config.bases:
        raise CheckpointError(
            f"the generator in {folder} makes digits of {network.config.bases} values, and those of "
            f"{known.name} have {bases}. Fetch the weights again."
        )
