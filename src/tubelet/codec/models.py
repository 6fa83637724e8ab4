"""The prior that a file is written with: how its header names it, and the models of its parts."""

from collections.abc import Iterable

from tubelet.bitstream.coding import ModelFor
from tubelet.bitstream.header import Header, PriorHeader
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.priors.files import model_for, prior_for, prior_of_parts
from tubelet.types import Part


def prior_header(tokenizer_sha256: str, parts: Iterable[Part | PartHeader] = ()) -> PriorHeader | None:
    """How a header names the shipped prior of a tokenizer; none if it has none.

    Args:
        tokenizer_sha256: fingerprint of the tokenizer.
        parts: of its latent: one without a prior of its own has that of vectors, if it has some.
    """
    prior = prior_for(tokenizer_sha256) or prior_of_parts({part.name: part.channels for part in parts})
    return None if prior is None else PriorHeader(name=prior.config.name, sha256=prior.sha256)


def prior_of_header(header: Header) -> PriorHeader | None:
    """The same of the tokenizer and the parts that a header names."""
    return prior_header(header.tokenizer_sha256, header.parts)


def models_of(header: Header, find: ModelFor = model_for) -> dict[str, SymbolModel]:
    """The models of all parts that have one, by name; `find` gives that of a part of a header."""
    if header.prior is None:
        return {}
    models = {part.name: find(header, part) for part in header.parts}
    return {name: model for name, model in models.items() if model is not None}
