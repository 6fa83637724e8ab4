"""A tokenizer's first channels as a tokenizer of their own, which training can then specialise."""

import torch
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.nn.blocks import RateGain
from tubelet.tokenizers.continuous import ContinuousTokenizer


@torch.no_grad()
def narrow(wide: ContinuousTokenizer, narrowed: ContinuousTokenizer) -> None:
    """Let a tokenizer of fewer channels do what another does with that many of its own.

    A full latent of `narrowed` is the same as a prefix of `wide`, and decodes to the same video. Between full
    and empty, gains that depend on the rate are interpolated anew.

    Args:
        wide: whose weights are taken over.
        narrowed: what they are written into; it is built from the same numbers but for its channels.

    Raises:
        OptionError: `narrowed` has more channels than `wide`.
    """
    if narrowed.channels > wide.channels:
        raise OptionError(
            f"the tokenizer to take over has {wide.channels} channels and the new one {narrowed.channels}; "
            "channels can only be left out. Give as many or fewer."
        )
    narrowed.transform.load_state_dict(wide.transform.state_dict())
    kept, share = narrowed.channels, narrowed.channels / wide.channels
    state = wide.state_dict()
    changed: dict[str, Tensor] = {}
    if wide.encoder is not None:
        # The mean of each channel, and then its variance where the tokenizer knows one.
        parts = [
            torch.arange(kept) + first for first in range(0, len(state["encoder.leave.bias"]), wide.channels)
        ]
        units = wide.encoder_units()[:kept] / narrowed.encoder_units()
        scale = torch.cat([units, *(torch.ones(kept) for _ in parts[1:])])
        changed["encoder.leave.weight"] = state["encoder.leave.weight"][torch.cat(parts)] * scale[:, None]
        changed["encoder.leave.bias"] = state["encoder.leave.bias"][torch.cat(parts)] * scale
        for name in ("latent_mean", "latent_deviation"):
            changed[name] = state[name][:kept]
    if wide.decoder is not None:
        fill, enter = state["prefix.fill"], state["decoder.enter.weight"]
        missing = enter[:, kept : wide.channels]
        changed["prefix.fill"] = fill[:kept]
        changed["decoder.enter.weight"] = torch.cat([enter[:, :kept], share * enter[:, -1:]], dim=1)
        changed["decoder.enter.bias"] = state["decoder.enter.bias"] + missing @ fill[kept:]
        knots = torch.tensor(RateGain.KNOTS)
        at_old_rates = RateGain.weigh(share * knots.reshape(-1, 1, 1, 1, 1)).reshape(len(knots), -1)
        for name, table in state.items():
            if name.endswith((".gain_in.table", ".gain_out.table")):
                changed[name] = at_old_rates.to(table) @ table
    narrowed.load_state_dict(state | changed)
