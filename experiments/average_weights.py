"""The mean of two checkpoints of one training as a tokenizer of its own.

    python experiments/average_weights.py FIRST SECOND --data CROPS -o FOLDER

Both have the same configuration, and the second was trained on from the first: such weights may be averaged
(Wortsman et al. 2022, arXiv:2203.05482), and what each run gave up for what it learnt is partly regained.
Weights of networks are rounded as `tubelet export-checkpoint` rounds them, and mean and deviation of each
channel are measured again on the crops.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

import tubelet
from tubelet.data.crops import open_crops
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.start import differences
from tubelet.train.tokenizer.ready import make_ready


def main() -> None:
    """Average, round, measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared crops")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the tokenizer to write")
    arguments = parser.parse_args()
    tokenizer = averaged(tubelet.load(arguments.first), tubelet.load(arguments.second), arguments.output.name)
    make_ready(tokenizer, open_crops(arguments.data), print)
    print(tokenizer.save(arguments.output))


def averaged(first: ContinuousTokenizer, second: ContinuousTokenizer, name: str) -> ContinuousTokenizer:
    """A tokenizer halfway between two of the same configuration."""
    config = replace(first.config, name=name)
    if (other := replace(second.config, name=name)) != config:
        raise SystemExit(f"these are not two of one training: {differences(other, config)}.")
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False).eval()
    weights = second.weights()
    mean = {
        key: torch.lerp(one, weights[key], 0.5) if one.is_floating_point() else one
        for key, one in first.weights().items()
    }
    tokenizer.model.load_state_dict(mean)
    return tokenizer


if __name__ == "__main__":
    main()
