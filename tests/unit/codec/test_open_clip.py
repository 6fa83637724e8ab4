"""Which tokenizer makes a file when none is named."""

import pytest

from tubelet.checkpoint import DEFAULT, DEFAULT_OF_FILES, find
from tubelet.codec.encode import encode_file
from tubelet.codec.open_clip import as_checkpoint
from tubelet.codec.tube import open_tube
from tubelet.jobs.bulk.settings import BulkSettings, read_checkpoint
from tubelet.priors.files import prior_for


def test_files_are_made_by_a_tokenizer_of_their_own(tmp_path, video_file):
    encode_file(video_file("a.mkv", frames=2), tmp_path / "a.tube")
    with open_tube(tmp_path / "a.tube") as tube:
        assert tube.header.tokenizer == DEFAULT_OF_FILES


def test_one_that_is_named_is_taken():
    assert as_checkpoint(DEFAULT, "cpu").name == DEFAULT


def test_it_has_a_prior_and_comes_with_the_package():
    assert prior_for(as_checkpoint(None, "cpu").sha256) is not None
    assert find(DEFAULT_OF_FILES).parent == find(DEFAULT).parent


@pytest.mark.parametrize(("format_", "name"), [("webdataset", DEFAULT), ("tube", DEFAULT_OF_FILES)])
def test_data_sets_of_files_are_made_by_it_too(format_, name):
    assert read_checkpoint(BulkSettings(format=format_)).name == name
