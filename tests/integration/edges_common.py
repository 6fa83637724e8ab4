"""What the scripts of edges share: small tokenizers, a clip, and a way to try every case."""

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import torch

import tubelet
from tubelet.errors import RangeWarning, TubeletError
from tubelet.quantizers.fsq import FSQ
from tubelet.tokenizers.continuous import ContinuousTokenizer

SIZE = {"frames": 5, "height": 17, "width": 24}
HALVES = (torch.float16, torch.bfloat16)


def small(**numbers) -> ContinuousTokenizer:
    """A tokenizer with networks whose branches are not zero."""
    torch.manual_seed(0)  # noqa: TID251  a process of its own
    usual = {"width": 16, "encoder_blocks": 1, "decoder_blocks": 1, "coefficients": (24,), "channels": 12}
    config = tubelet.KLTConfig(name="small", **(usual | numbers))
    tokenizer = ContinuousTokenizer.of(config).requires_grad_(requires_grad=False)
    for weights in tokenizer.parameters():
        weights.add_(0.05 * torch.randn_like(weights))
    return tokenizer.eval()


LINEAR = {"encoder_blocks": 0, "decoder_blocks": 0}


def discrete() -> tubelet.DiscreteTokenizer:
    return tubelet.DiscreteTokenizer(small(channels=4), FSQ((8, 5, 5, 3))).eval()


def clip(*, batch: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (2 * torch.rand(batch, 3, *SIZE.values(), generator=generator, dtype=torch.float32) - 1).to(dtype)


def refuses(
    error: type[TubeletError], text: str, function: Callable[..., object], *arguments, **named
) -> None:
    """Call; the error is of this kind and holds these words."""
    try:
        result = function(*arguments, **named)
    except error as raised:
        assert text in str(raised), f"{text!r} is not in {str(raised)!r}"
        return
    raise AssertionError(f"nothing was raised; it gave {type(result).__name__}")


def run(names: dict[str, Any]) -> None:
    """Call the cases that the command line names, and print what came of each as JSON.

    A warning of the range that a case does not expect is a failure.
    """
    results = {}
    for case in sys.argv[1:]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RangeWarning)
                names[case]()
            results[case] = ""
        except Exception:  # noqa: BLE001  it is reported
            results[case] = traceback.format_exc()
    sys.stdout.write(json.dumps(results))
