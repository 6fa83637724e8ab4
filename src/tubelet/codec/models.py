"""The prior that a file is written with: how its header names it, and the models of its parts."""

from tubelet.bitstream.coding import ModelFor
from tubelet.bitstream.header import Header, PriorHeader
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.priors.files import model_for, prior_for


def prior_header(tokenizer_sha256: str) -> PriorHeader | None:
    """How a header names the shipped prior of a tokenizer; none if it has none."""
    prior = prior_for(tokenizer_sha256)
    return None if prior is None else PriorHeader(name=prior.config.name, sha256=prior.sha256)


def models_of(header: Header, find: ModelFor = model_for) -> dict[str, SymbolModel]:
    """The models of all parts that have one, by name; `find` gives that of a part of a header."""
    if header.prior is None:
        return {}
    models = {part.name: find(header, part) for part in header.parts}
    return {name: model for name, model in models.items() if model is not None}
