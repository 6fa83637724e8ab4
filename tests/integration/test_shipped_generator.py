"""The generator that comes with the package makes what a prompt says, from a tokenizer that comes with it."""

import numpy as np
import pytest

from tubelet import further
from tubelet.checkpoint import shipped
from tubelet.errors import CheckpointError
from tubelet.generate.checkpoint import find_generator, read_generator, shipped_generators
from tubelet.generate.files import Request, generate_file
from tubelet.video.read import read


def test_each_is_of_a_shipped_tokenizer_and_small():
    assert shipped_generators()
    for name in shipped_generators():
        folder, generator = find_generator(name), read_generator(name)
        assert (generator.name, generator.tokenizer.name in shipped()) == (name, True)
        assert (folder / "weights.safetensors").stat().st_size <= 10e6
        card = (folder / "card.md").read_text(encoding="utf-8")
        assert card.startswith("---\nlicense: apache-2.0\nlibrary_name: tubelet\n")
        assert f"\n# {name}\n" in card


def test_further_generators_are_found_where_they_are_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(further, "PACKAGE", "some_further_weights")
    assert not set(shipped_generators()) & set(further.GENERATORS)
    with pytest.raises(CheckpointError, match="tubelet-ar is in the distribution tubelet-weights, which is"):
        find_generator("tubelet-ar")
    package = tmp_path / "site" / "some_further_weights"
    (package / "generators" / "tubelet-ar").mkdir(parents=True)
    (package / "generators" / "tubelet-ar" / "config.json").write_text("{}")
    (package / "__init__.py").write_text("raise RuntimeError('nothing is imported')")
    monkeypatch.syspath_prepend(package.parent)
    assert find_generator("tubelet-ar") == package / "generators" / "tubelet-ar"
    assert "tubelet-ar" in shipped_generators()


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
