"""The prior that a file names, as the models of its parts."""

from tubelet.bitstream.header import Header, PriorHeader
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.symbol_model import SymbolModel
from tubelet.priors.files import prior_for, prior_of_file


def prior_header(tokenizer_sha256: str) -> PriorHeader | None:
    """How a header names the shipped prior of a tokenizer; none if it has none."""
    prior = prior_for(tokenizer_sha256)
    return None if prior is None else PriorHeader(name=prior.config.name, sha256=prior.sha256)


def model_for(header: Header, part: PartHeader) -> SymbolModel | None:
    """The model of a part of a file; none if the file names no prior.

    Raises:
        CheckpointError: the prior does not come with this program.
    """
    if header.prior is None:
        return None
    prior = prior_of_file(header.prior.name, header.prior.sha256)
    return prior.for_part(steps=part.steps, bases=part.digit_bases)


def models_of(header: Header) -> dict[str, SymbolModel]:
    """The models of all parts that have one, by name."""
    models = {part.name: model_for(header, part) for part in header.parts}
    return {name: model for name, model in models.items() if model is not None}
