"""The losses of a flow: of its velocity, and of what its sampler makes."""

from tubelet.losses.detail import log_detail
from tubelet.losses.pair import Loss
from tubelet.losses.reconstruction import log_mse
from tubelet.losses.temporal import log_frame_difference
from tubelet.nn.prefix import column
from tubelet.perceptual.lpips import LPIPS
from tubelet.train.flow.config import FlowTrainConfig
from tubelet.train.flow.network import FlowNetwork, Frozen, State
from tubelet.train.task import Place, Term
from tubelet.train.tokenizer.losses import some_frames
from tubelet.types import Video


def velocity_loss(network: FlowNetwork, frozen: Frozen, found: State, wanted: State) -> Loss:
    """The mean squared error of velocities, each by its share of what pixels lack.

    The states have about unit variance everywhere, most of which is hardly seen: they count by the root of
    the power that they have in pixels.
    """
    deviation = column(network.model.base.transform.deviation)
    weight = deviation * frozen.size
    return (weight / weight.mean() * (found - wanted).square()).mean()


def sample_terms(
    config: FlowTrainConfig, clips: Video, back: Video, place: Place, *, perceptual: LPIPS | None
) -> dict[str, Term]:
    """Every loss that compares clips with what the sampler makes of their latents."""
    weights, floor = config.losses, config.losses.log_floor
    terms: dict[str, Term] = {}
    if weights.log_mse:
        terms["log_mse"] = Term(weights.log_mse, log_mse(clips, back, floor=floor))
    if weights.log_difference:
        terms["log_difference"] = Term(weights.log_difference, log_frame_difference(clips, back, floor=floor))
    if weights.log_detail:
        terms["log_detail"] = Term(weights.log_detail, log_detail(clips, back))
    if weights.perceptual and perceptual is not None:
        terms["perceptual"] = Term(
            weights.perceptual,
            perceptual(*some_frames(clips, back, place, frames=weights.perceptual_frames, seed=config.seed)),
        )
    return terms
