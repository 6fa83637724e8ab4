"""Names of recipes, and the recipes they stand for."""

import inspect
import re
from collections.abc import Callable
from importlib import import_module

from tubelet.errors import OptionError
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.recipes import fidelity, flow, generators, gpu, prior, tokens, twin
from tubelet.train.flow.config import FlowTrainConfig
from tubelet.train.prior.config import PriorTrainConfig
from tubelet.train.tokenizer.config import TrainConfig
from tubelet.train.twin.config import TwinTrainConfig

RunConfig = (
    TrainConfig | TwinTrainConfig | FlowTrainConfig | PriorTrainConfig | DiTTrainConfig | TokenTrainConfig
)
"""What a recipe gives: a run of a tokenizer, of a prior, or of a generator."""

RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "s": fidelity.s,
    "m": fidelity.m,
    "image": fidelity.image,
    "m_vae": fidelity.m_vae,
    "m_robust": fidelity.m_robust,
    "m_rate": fidelity.m_rate,
    "motion": fidelity.motion,
    "m_perceptual": fidelity.m_perceptual,
    "m16": fidelity.m16,
    "m16_vae": fidelity.m16_vae,
    "m16_equivariant": fidelity.m16_equivariant,
    "predictive": fidelity.predictive,
    "m_gpu": gpu.m_gpu,
    "fsq": tokens.fsq,
    "fsq_deep": tokens.fsq_deep,
    "vq": tokens.vq,
    "lfq": tokens.lfq,
}
"""Those of tokenizers."""

TWIN_RECIPES: dict[str, Callable[[], TwinTrainConfig]] = {"twin": twin.twin}
"""Those of tokenizers of structure and dynamics."""

FLOW_RECIPES: dict[str, Callable[[], FlowTrainConfig]] = {
    "flow": flow.flow,
    "flow_perceptual": flow.flow_perceptual,
}
"""Those of flows that refine a tokenizer."""

PRIOR_RECIPES: dict[str, Callable[[], PriorTrainConfig]] = {"prior": prior.prior}
"""Those of priors."""

GENERATOR_RECIPES: dict[str, Callable[[], DiTTrainConfig | TokenTrainConfig]] = {
    "dit": generators.dit,
    "dit_two": generators.dit_two,
    "masked": generators.masked,
    "ar": generators.ar,
}
"""Those of generators."""


def recipes() -> dict[str, Callable[[], RunConfig]]:
    """All of them, by name."""
    return {**RECIPES, **TWIN_RECIPES, **FLOW_RECIPES, **PRIOR_RECIPES, **GENERATOR_RECIPES}


def make_config(name: str) -> RunConfig:
    """The configuration that a recipe gives.

    Args:
        name: of one of the `recipes`, or ``package.module:function`` of one's own, which is imported and
            called.

    Raises:
        OptionError: there is no such recipe, or it gives something else.
    """
    known = recipes()
    recipe = known[name] if name in known else _own_recipe(name)
    config = recipe()
    if not isinstance(config, RunConfig):
        raise OptionError(
            f"recipe {name!r} gives a {type(config).__name__}; a recipe gives a "
            "tubelet.train.tokenizer.config.TrainConfig, a TwinTrainConfig, a FlowTrainConfig, a "
            "PriorTrainConfig, a DiTTrainConfig or a TokenTrainConfig. Return one."
        )
    return config


def first_line(recipe: Callable[[], RunConfig]) -> str:
    """What a recipe says of itself, in a line."""
    return (inspect.getdoc(recipe) or "").partition("\n")[0]


def _own_recipe(name: str) -> Callable[[], object]:
    match = re.fullmatch(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)", name)
    if match is None:
        raise OptionError(
            f"recipe is {name!r}; known are {', '.join(recipes())}. Give one of them, or "
            "package.module:function of your own."
        )
    module, function = match.groups()
    try:
        recipe = getattr(import_module(module), function, None)
    except ImportError as error:
        raise OptionError(
            f"recipe {name!r} cannot be imported ({error}); its module must be where Python looks. Install "
            "it, or put its folder into PYTHONPATH."
        ) from error
    if not callable(recipe):
        raise OptionError(
            f"recipe is {name!r}; {module} has no function {function}. Give the name of one that returns a "
            "TrainConfig."
        )
    return recipe
