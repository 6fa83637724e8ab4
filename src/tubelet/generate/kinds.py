"""The kinds of generators: what each is made of, how it makes clips, and how these become latents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from tubelet.errors import OptionError
from tubelet.generate.autoregressive.network import AutoregressiveTransformer
from tubelet.generate.autoregressive.sampler import AutoregressiveSampling, sample_autoregressive
from tubelet.generate.dit.config import DiTConfig
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.sampler import FlowSampling, sample_flow
from tubelet.generate.known_tokenizer import KnownTokenizer, quantized
from tubelet.generate.masked.network import MaskedTransformer
from tubelet.generate.masked.sampler import MaskedSampling, sample_masked
from tubelet.generate.prompts import Prompts
from tubelet.generate.tokens.config import TokenConfig
from tubelet.generate.tokens.digits import digits_to_latent, latent_to_digits
from tubelet.types import Latent

Network = DiT | MaskedTransformer | AutoregressiveTransformer
"""The network of a generator; its `kind` names one of `KINDS`, its `config` says what clips it makes."""

NetworkConfig = DiTConfig | TokenConfig

Sampling = FlowSampling | MaskedSampling | AutoregressiveSampling
"""How a clip is made; each kind of generator has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of generators.

    Attributes:
        title: what one is, in words.
        config: the dataclass of the numbers that make a network.
        network: makes one of these.
        sampling: how it makes clips.
        sample: makes windows of clips, as its network knows them: latents or digits.
        to_latent: what a tokenizer's decoder takes, of what was made.
        from_latent: the mirror, of what its encoder gives.
    """

    title: str
    config: type[Any]
    network: Callable[[Any], Network]
    sampling: type[Any]
    sample: Callable[..., Tensor]
    to_latent: Callable[[KnownTokenizer, Tensor], Latent]
    from_latent: Callable[[KnownTokenizer, Latent], Tensor]


KINDS: dict[str, Kind] = {
    DiT.kind: Kind(
        title="diffusion transformer",
        config=DiTConfig,
        network=DiT,
        sampling=FlowSampling,
        sample=sample_flow,
        to_latent=quantized,
        from_latent=lambda _, latent: latent,
    ),
    MaskedTransformer.kind: Kind(
        title="masked transformer",
        config=TokenConfig,
        network=MaskedTransformer,
        sampling=MaskedSampling,
        sample=sample_masked,
        to_latent=digits_to_latent,
        from_latent=latent_to_digits,
    ),
    AutoregressiveTransformer.kind: Kind(
        title="autoregressive transformer",
        config=TokenConfig,
        network=AutoregressiveTransformer,
        sampling=AutoregressiveSampling,
        sample=sample_autoregressive,
        to_latent=digits_to_latent,
        from_latent=latent_to_digits,
    ),
}
"""All of them, by the name that a generator's file says."""


def sample(
    network: Network,
    words: Prompts,
    *,
    seeds: Sequence[int],
    shape: tuple[int, int, int],
    sampling: Sampling | None = None,
    first_step: int = 0,
    known: Tensor | None = None,
) -> Tensor:
    """Make windows of clips, as the network knows them; each follows from its seed, words and place.

    Args:
        network: of any kind.
        words: of each prompt.
        seeds: of the chance in each clip.
        shape: steps, rows and columns.
        sampling: how; as the kind usually does for none.
        first_step: of the clip, from 0.
        known: leading steps that are there already.

    Raises:
        OptionError: the sampling is that of another kind.
    """
    kind = KINDS[network.kind]
    sampling = kind.sampling() if sampling is None else sampling
    if not isinstance(sampling, kind.sampling):
        raise OptionError(
            f"the sampling is a {type(sampling).__name__}, and a {kind.title} takes a "
            f"{kind.sampling.__name__}. Give that."
        )
    return kind.sample(
        network, words, seeds=seeds, shape=shape, sampling=sampling, first_step=first_step, known=known
    )


def sampling_for(network: Network, name: str, **wishes: object) -> Sampling:
    """How a generator makes clips, with what is wished for; none stands for the usual value.

    Args:
        network: of the generator.
        name: of the generator, for messages.
        wishes: fields of the kind's sampling.

    Raises:
        OptionError: a wish is nothing that this kind has, or has no meaning.
    """
    kind = KINDS[network.kind]
    known = _fields_of(network)
    given = {field: value for field, value in wishes.items() if value is not None}
    for field, value in given.items():
        if field not in known:
            raise OptionError(
                f"{field} is {value}, and {name} (kind: {kind.title}) has no {field}; it has "
                f"{', '.join(known)}. Leave {field} out."
            )
    return kind.sampling(**given)


def samplings_for(generators: Sequence[tuple[Network, str]], **wishes: object) -> list[Sampling]:
    """How each of several generators makes clips: a wish is for those whose kind has such a field.

    Args:
        generators: networks and names.
        wishes: as those of `sampling_for`.

    Raises:
        OptionError: a wish is nothing that any of these kinds has, or has no meaning.
    """
    shared = {field for network, _ in generators for field in _fields_of(network)}
    return [
        sampling_for(
            network,
            name,
            **{
                field: value
                for field, value in wishes.items()
                if field in _fields_of(network) or field not in shared
            },
        )
        for network, name in generators
    ]


def _fields_of(network: Network) -> list[str]:
    """What can be wished for of a kind of generator."""
    return [field.name for field in fields(KINDS[network.kind].sampling)]
