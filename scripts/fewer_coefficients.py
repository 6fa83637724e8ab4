"""Let the networks of a trained tokenizer along motion see fewer coefficients: smaller weights.

    python scripts/fewer_coefficients.py RUNS/tubelet-motion 224 -o tubelet-motion

The last coefficients of each basis hold least, and are corrections alone: content is of the first ones. What
is left out is cut from both bases, from what the encoder is given and from what the decoder says.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from tubelet.checkpoint import find, read_continuous
from tubelet.models.motion.config import MotionConfig
from tubelet.models.motion.model import MotionModel
from tubelet.tokenizers.continuous import ContinuousTokenizer


def main() -> None:
    """Write the smaller tokenizer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tokenizer", type=Path, help="folder of a trained one")
    parser.add_argument("coefficients", type=int, help="of each basis; no fewer than channels")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder; its name is the new name")
    arguments = parser.parse_args()
    trained = read_continuous(arguments.tokenizer).tokenizer
    card = (find(arguments.tokenizer) / "card.md").read_text(encoding="utf-8")
    fewer(trained, arguments.coefficients).save(arguments.output, card=card)


@torch.no_grad()
def fewer(trained: ContinuousTokenizer, coefficients: int) -> ContinuousTokenizer:
    """The same tokenizer with the first coefficients of each basis.

    Args:
        trained: along motion, with networks.
        coefficients: that stay.

    Raises:
        SystemExit: it is another tokenizer, or has no more coefficients.
    """
    old, config = trained.model, trained.config
    if not isinstance(old, MotionModel) or not isinstance(config, MotionConfig) or old.corrections is None:
        raise SystemExit(f"{config.name} has no networks along motion; give one that has.")
    if not config.channels <= coefficients < config.coefficients:
        raise SystemExit(
            f"coefficients is {coefficients}; it lies between the {config.channels} channels and the "
            f"{config.coefficients} coefficients that there are."
        )
    smaller = replace(config, coefficients=coefficients)
    new = smaller.build()
    weights = dict(trained.weights())
    for key, wanted in new.state_dict().items():
        given = weights[key]
        if key == "corrections.encoder.enter.weight":  # coefficients first, then what is known of motion
            known = given[:, config.coefficients :]
            given = torch.cat([given[:, :coefficients], known], dim=1)
        weights[key] = given[: len(wanted)] if given.ndim else given
    new.load_state_dict(weights)
    return ContinuousTokenizer(new, lead_frame=trained.lead_frame, config=smaller)


if __name__ == "__main__":
    main()
