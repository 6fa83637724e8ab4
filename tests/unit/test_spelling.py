"""A misspelt word is answered with the nearest known ones, and a text that is no number with what is one."""

import pytest

from tubelet import checkpoint
from tubelet.cli.parser import make_parser
from tubelet.errors import CheckpointError, OptionError
from tubelet.generate.checkpoint import find_generator
from tubelet.spelling import counted, did_you_mean


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("appel", "did you mean apple?"),
        ("AP", "did you mean apple or apricot?"),
        ("zebra", ""),
        ("", ""),
    ],
)
def test_the_nearest_words_are_named(word, said):
    assert did_you_mean(word, ["apple", "apricot", "plum"]) == said


def test_a_misspelt_tokenizer_or_generator_is_answered_with_the_nearest():
    with pytest.raises(CheckpointError, match="did you mean tubelet-s"):
        checkpoint.find("tubelt-s")
    with pytest.raises(CheckpointError, match="shipped are tubelet-m, "):
        checkpoint.find("nothing like it")
    with pytest.raises(CheckpointError, match="did you mean tubelet-dit"):
        find_generator("tubelet-dti")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--channels", "many"], "'many' is no whole number; give one such as 4"),
        (["--step", "1/3"], "'1/3' is no number; give one such as 0.5"),
    ],
)
def test_what_is_no_number_is_answered_with_what_is(option, said):
    with pytest.raises(OptionError, match=f"encode: argument {option[0]}: {said}"):
        make_parser().parse_args(["encode", "a.mp4", "-o", "a.tube", *option])


@pytest.mark.parametrize(("number", "text"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_one_is_one(number, text):
    assert counted(number, "frame") == text
