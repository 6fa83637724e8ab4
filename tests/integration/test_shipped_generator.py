"""The generator that comes with the package makes what a prompt says, from a tokenizer that comes with it."""

import numpy as np
import pytest

from tubelet.checkpoint import shipped
from tubelet.generate.checkpoint import SHIPPED, read_generator, shipped_generators
from tubelet.generate.files import Request, generate_file
from tubelet.video.read import read


def test_each_is_of_a_shipped_tokenizer_and_small():
    assert shipped_generators()
    for name in shipped_generators():
        generator = read_generator(name)
        assert (generator.name, generator.tokenizer.name in shipped()) == (name, True)
        assert (SHIPPED / name / "weights.safetensors").stat().st_size <= 10e6
        assert name in (SHIPPED / name / "card.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("colour", "strong"), [("red", 0), ("blue", 2)])
def test_a_large_thing_has_its_colour(tmp_path, colour, strong):
    target = tmp_path / "made.mp4"
    request = Request(prompt=f"a large {colour} square moves right over black")
    generate_file(request, target, model=read_generator())
    frames = np.concatenate([run.frames for run in read(target)])
    assert frames.shape == (17, 64, 64, 3)
    thing = frames.max(axis=-1) > 100
    assert 0.02 < thing.mean() < 0.4
    assert np.argmax(frames[thing].mean(axis=0)) == strong
