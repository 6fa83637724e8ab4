import os

import pytest

from tubelet.files import fitted_name, printable
from tubelet.files.names import text_name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name é 日本.mp4", "plain name é 日本.mp4"),
        ("red\x1b[31m\x07.mp4", r"red\x1b[31m\x07.mp4"),
        ("two\nlines\r.mp4", r"two\nlines\r.mp4"),
        (os.fsdecode(b"caf\xe9.mp4"), r"caf\xe9.mp4"),
        ("fdp.\u202e4pm", r"fdp.\u202e4pm"),
        ("\x9b31m", r"\x9b31m"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_would_move_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown
    printable(text).encode()


def test_long_names_are_shortened_in_their_middle():
    assert printable("a" * 80) == "a" * 80
    assert printable(f"folder/{'a' * 200}.mp4 exists") == f"folder/{'a' * 55}…{'a' * 20}.mp4 exists"


def test_a_name_as_text_is_valid_unicode_and_otherwise_itself():
    assert text_name(os.fsdecode(b"caf\xe9\n.mp4")) == "caf\\xe9\n.mp4"
    assert text_name("日本.mp4") == "日本.mp4"


@pytest.mark.parametrize("stem", ["x" * 300, "日本" * 100, os.fsdecode(b"\xe9" * 300)])
def test_a_name_made_of_a_long_one_fits(stem):
    name = fitted_name(stem, ".tubelet.mp4")
    assert len(os.fsencode(name)) <= 255
    assert name.endswith(".tubelet.mp4")
    assert name != fitted_name(stem + "x", ".tubelet.mp4")


def test_a_name_that_fits_is_left_alone():
    assert fitted_name("x" * 250, ".tube") == "x" * 250 + ".tube"
    assert fitted_name(os.fsdecode(b"caf\xe9"), ".tube") == os.fsdecode(b"caf\xe9.tube")
