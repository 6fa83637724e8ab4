"""Models compile whole: torch.compile finds no place where it must go back to Python.

In a process of its own: the checks of shapes that tests switch on are what breaks graphs.
"""

import subprocess
import sys

COMPILED = """
import torch
from tubelet.models.flow.config import FlowConfig
from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.flat import FlatDecoder, FlatEncoder

torch.set_num_threads(1)
config = KLTConfig(name="a", coefficients=(16,), channels=12, width=16, encoder_blocks=1, decoder_blocks=1)
model, flow = config.build().eval(), FlowConfig(name="b", base=config, width=16, blocks=1).build().refined(2)
video, latent = torch.zeros(1, 3, 8, 16, 24), torch.randn(1, 12, 2, 2, 3)
counts = torch.full((1, 1, 2, 2, 3), 5)
first, step = torch.tensor([True]), torch.zeros(1, 12, 16, 24)


def whole(function, *given):
    compiled = torch.compile(function, backend="eager", fullgraph=True)
    for one, other in zip(flat(compiled(*given)), flat(function(*given)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def flat(found):
    if isinstance(found, torch.Tensor):
        return [found]
    values = found.values() if isinstance(found, dict) else found
    return [each for value in values if value is not None for each in flat(value)]


with torch.no_grad():
    whole(lambda x: model.encode_groups(x, None), video)
    whole(lambda x, n: model.decode_groups({"latent": x}, None, {"latent": n}), latent, counts)
    noise = flow.noise(slice(0, 2), slice(0, 3))
    whole(lambda x, n: flow.decode_groups({"latent": x} | noise, None, {"latent": n}).groups, latent, counts)
    encoder, decoder = FlatEncoder(model).eval(), FlatDecoder(model).eval()
    past = torch.zeros(1, encoder.past_channels, 2, 3)
    whole(encoder, step, first, past)
    whole(decoder, latent[:, :, 0], counts[:, :, 0], first, torch.zeros(1, decoder.past_channels, 2, 3))
print("whole")
"""


def test_models_and_their_flat_forms_compile_without_a_graph_break():
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert done.stdout == "whole\n", done.stderr[-3000:]
