"""Prompts as numbers: synonyms are one word, unknown ones are named, nothing is silently changed."""

import warnings

import pytest

from tubelet.data.scenes import COLOURS, DIRECTIONS, SHAPES, SceneOptions, scene_at
from tubelet.errors import OptionError, TubeletWarning
from tubelet.generate.text import (
    AND,
    NO_PROMPT,
    NO_WORD,
    RESERVED,
    PromptVocabulary,
    meaningful_words,
    no_prompt,
)


def test_synonyms_and_case_give_the_same_numbers():
    vocabulary = PromptVocabulary(("circle", "fast", "left", "red"))
    one = vocabulary.numbers("A red circle moves quickly to the left.", slots=6)
    other = vocabulary.numbers("crimson DISC, travelling fast leftwards", slots=6)
    assert (
        one.tolist()
        == other.tolist()
        == [RESERVED + 3, RESERVED, RESERVED + 1, RESERVED + 2, NO_WORD, NO_WORD]
    )


def test_unknown_words_are_named_and_left_out():
    vocabulary = PromptVocabulary(("circle", "red"))
    with pytest.warns(TubeletWarning, match=r"has not learned elephant, moon; it makes 'red circle'"):
        numbers = vocabulary.numbers("a red elephant, a moon, a circle", slots=3)
    assert numbers.tolist() == [RESERVED + 1, RESERVED, NO_WORD]


def test_words_beyond_the_slots_are_named():
    with pytest.warns(TubeletWarning, match="reads 2 words, and leaves out 'red'"):
        assert len(PromptVocabulary(("circle", "red")).numbers("circle red red", slots=2)) == 2


@pytest.mark.parametrize("prompt", ["", "  ", "the of and", "elephant", "!!!"])
def test_a_prompt_without_a_known_word_is_refused_with_those_that_are_known(prompt):
    with pytest.raises(OptionError, match="holds no word that the generator knows; it knows circle, red"):
        PromptVocabulary(("circle", "red")).numbers(prompt, slots=4)


def test_an_endless_prompt_is_refused():
    with pytest.raises(OptionError, match="characters; at most 4096"):
        PromptVocabulary(("red",)).numbers("red " * 5000, slots=4)


def test_a_vocabulary_of_captions_knows_every_caption():
    captions = [scene_at(index, options=SceneOptions(things=(2, 2))).caption for index in range(60)]
    vocabulary = PromptVocabulary.of_captions(captions)
    assert list(vocabulary.words) == sorted(set(vocabulary.words))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for caption in captions:
            vocabulary.numbers(caption, slots=40)


def test_the_most_frequent_words_are_kept_where_there_is_no_room():
    assert PromptVocabulary.of_captions(["red circle", "red square", "blue"], most=1).words == ("red",)


def test_words_of_scenes_keep_their_meaning():
    for word in (*COLOURS, *SHAPES):
        assert meaningful_words(word) == [word]
    for direction in DIRECTIONS:
        assert meaningful_words(direction) == direction.split("-")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("A red ball goes left, and one square goes up.", "red circle left and square up"),
        (
            "a red circle goes left and a blue square up; a star",
            "red circle left and blue square up and star",
        ),
        ("a circle moves down and to the right", "circle down right"),
        ("a circle, and it moves; and a", "circle"),
        ("and a red circle", "red circle"),
    ],
)
def test_between_clauses_stands_a_word(prompt, words):
    assert meaningful_words(prompt) == words.split()


def test_a_vocabulary_without_clauses_says_that_it_may_mix_them_up():
    with pytest.warns(TubeletWarning, match="may mix up what is said of each thing"):
        numbers = PromptVocabulary(("circle", "star")).numbers("a circle, and a star", slots=3)
    assert numbers.tolist() == [RESERVED, RESERVED + 1, NO_WORD]
    with pytest.raises(OptionError, match=r"it knows circle\. Say"):
        PromptVocabulary((AND, "circle")).numbers("an elephant, and a moon", slots=3)


def test_no_prompt_is_no_word():
    assert no_prompt(3).tolist() == [NO_PROMPT] * 3
    assert len({NO_PROMPT, NO_WORD, RESERVED}) == 3
