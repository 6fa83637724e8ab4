"""Recipes by name: those in the table, and a user's own."""

import sys

import pytest

from tubelet.checkpoint import architecture as load_architecture
from tubelet.errors import OptionError
from tubelet.generate.config import PromptFacts
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.known_tokenizer import continuous_of, read_tokenizer
from tubelet.generate.tokens.digits import split_bases
from tubelet.recipes.table import GENERATOR_RECIPES, PRIOR_RECIPES, RECIPES, first_line, make_config, recipes
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.config import TrainConfig

OWN = """
from dataclasses import replace
from tubelet.recipes.fidelity import s

def wide():
    return replace(s(), seed=7)

def wrong():
    return 3

width = 5
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "my_recipes.py").write_text(OWN)
    (tmp_path / "lacking_recipes.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_recipes"
    sys.modules.pop("my_recipes", None)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_a_tokenizer_that_its_prefixes_fit(name):
    config = make_config(name)
    tokenizer = ContinuousTokenizer.of(config.model)
    assert max(config.prefixes.counts) <= tokenizer.channels
    assert (config.losses.kl > 0) <= tokenizer.variational
    # Positions at the edge of a clip are halves of a patch for nobody.
    assert all(stage.side % tokenizer.stride.h == 0 for stage in config.stages)
    assert all((stage.frames - 1) % tokenizer.stride.t == 0 for stage in config.stages)


@pytest.mark.parametrize("name", PRIOR_RECIPES)
def test_a_recipe_of_a_prior_ends_as_the_prior_computes(name):
    config = make_config(name)
    assert config.stages[-1].exact
    assert load_architecture(config.tokenizer) == "continuous"


@pytest.mark.parametrize("name", GENERATOR_RECIPES)
def test_a_recipe_of_a_generator_fits_the_latents_of_its_tokenizer(name):
    config = make_config(name)
    known = read_tokenizer(config.tokenizer)
    grouping = continuous_of(known).grouping
    steps, rows, columns = grouping.grid(config.scenes.frames, config.scenes.height, config.scenes.width)
    assert grouping.first_frame(steps) == config.scenes.frames
    facts = {
        "tokenizer_sha256": "",
        "fps": config.scenes.fps,
        "prompts": PromptFacts(words=("red",), slots=config.slots),
    }
    if isinstance(config, DiTTrainConfig):
        shape = (continuous_of(known).channels, steps, rows, columns)
        assert config.network(shape=shape, **facts).channels == 16
    else:
        bases = split_bases(known.tokenizer.bases)
        network = config.network(bases=bases, shape=(steps, rows, columns), **facts)
        assert network.patch_bases == (8, 8, 8, 5, 5, 5) * 4


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_says_what_it_is(name):
    assert 20 < len(first_line(recipes()[name])) <= 110


def test_names_of_checkpoints_differ():
    assert len({make_config(name).model.name for name in RECIPES}) == len(RECIPES)


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(OptionError, match=rf"recipe is 'xl'; known are {', '.join(recipes())}\. .*module:f"):
        make_config("xl")


def test_a_recipe_of_the_users_own_is_imported(own):
    config = make_config(f"{own}:wide")
    assert isinstance(config, TrainConfig)
    assert config.seed == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.recipes:f", "No module named 'no_such_package'.*PYTHONPATH"),
        ("lacking_recipes:f", "No module named 'no_such_module'"),
        ("my_recipes:narrow", "my_recipes has no function narrow"),
        ("my_recipes:width", "has no function width"),
        ("my_recipes:wrong", "gives a int; a recipe gives a .*TrainConfig"),
        ("my_recipes", "known are"),
        (":wide", "known are"),
        ("my_recipes:", "known are"),
        (".my_recipes:wide", "known are"),
        ("my recipes:wide", "known are"),
        ("", "known are"),
    ],
)
def test_what_is_no_recipe_is_refused(own, name, message):
    with pytest.raises(OptionError, match=message):
        make_config(name)
