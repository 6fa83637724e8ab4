"""Words as features: their meaning, and the clause in which they stand."""

import pytest
import torch

from tubelet.errors import TubeletWarning
from tubelet.generate.prompts import WordEmbedding, known_prompts
from tubelet.generate.text import AND, PromptVocabulary, no_prompt

WORDS = (AND, "circle", "left", "red", "up")


def features(embedding: WordEmbedding, prompt: str, words: tuple[str, ...] = WORDS) -> torch.Tensor:
    return embedding(PromptVocabulary(words).numbers(prompt, slots=12)[None])[0]


def test_a_word_means_something_else_in_another_clause():
    embedding = WordEmbedding(WORDS, 16)
    found = features(embedding, "red left; red up; red; red; red")
    first, second, *others = found[[0, 3, 6, 8, 10]]
    assert torch.equal(first, embedding.weight[-2]), "the first clause is what a word means"
    assert (first - second).abs().max() > 0.1
    assert torch.allclose(others[1], others[2]), "clauses behind the last one that is told apart"
    assert (second - others[0]).abs().max() > 0.1


def test_all_words_of_a_clause_are_moved_alike_and_no_prompt_is_not():
    embedding = WordEmbedding(WORDS, 16)
    found = features(embedding, "red left and a circle up")
    moved = found[3:5] - embedding.weight[[3, 6]]
    assert torch.allclose(moved[0], moved[1], atol=1e-6)
    assert torch.equal(embedding(no_prompt(3)[None])[0], embedding.weight[1].expand(3, -1))


def test_without_the_word_between_them_clauses_are_not_told_apart():
    words = WORDS[1:]
    embedding = WordEmbedding(words, 16)
    with pytest.warns(TubeletWarning, match="may mix up"):
        found = features(embedding, "red left and a circle up; red", words)
    assert torch.equal(found[0], found[4])


def test_weights_without_clauses_go_on_in_a_network_with_them():
    trained, fresh = (
        {f"words.{name}": weight for name, weight in WordEmbedding(words, 16).state_dict().items()}
        for words in (WORDS[1:], WORDS)
    )
    known = known_prompts(trained, fresh, words=WORDS[1:], now=WORDS)
    assert known["words.clauses"] is fresh["words.clauses"]
    assert torch.equal(known["words.weight"][3:], trained["words.weight"][2:])
