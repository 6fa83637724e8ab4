"""What a decoder makes up, and out of which noise."""

from tubelet.errors import OptionError
from tubelet.models.protocol import GenerativeModel, StepModel
from tubelet.types import Latents


def noise_of(model: StepModel, rows: slice, columns: slice) -> Latents:
    """What a model takes beside the parts of a latent, of some rows and columns of cells of a frame."""
    return model.noise(rows, columns) if isinstance(model, GenerativeModel) else {}


def refined_model(model: StepModel, steps: int, *, seed: int) -> StepModel:
    """A model whose decoder refines its frames in so many steps; any model, if they are none.

    Raises:
        OptionError: it has not learnt to, or a number is out of range.
    """
    if isinstance(model, GenerativeModel):
        return model.refined(steps, seed=seed)
    if steps != 0:
        raise OptionError(
            f"refine is {steps!r}, and this tokenizer has no flow that refines its frames. Use one that has, "
            "which `tubelet train flow` makes, or refine in 0 steps."
        )
    return model
