"""The files of the page: what was built, and what is made for a tokenizer and kept."""

import gzip
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tubelet.checkpoint import Checkpoint, read_continuous
from tubelet.cli.main import main
from tubelet.errors import OptionError, OutputError
from tubelet.priors.files import prior_for, shipped_folders
from tubelet.serve import site
from tubelet.serve.site import MADE, site_files, static_names, write_priors, write_site


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """Instead of an export, which takes long: files that say how many were made before."""
    calls: list[str] = []

    def make(checkpoint, folder):
        for name in MADE:
            (folder / name).write_text(f"{len(calls)}")
        calls.append(checkpoint.sha256)

    monkeypatch.setattr(site, "_make", make)
    return calls


@pytest.fixture
def checkpoint(small_tokenizer) -> Checkpoint:
    return Checkpoint(name="small", tokenizer=small_tokenizer, sha256="ab" * 32)


def test_the_page_has_what_was_built_and_what_was_made(made, checkpoint, tmp_path):
    with site_files(checkpoint, tmp_path) as files:
        assert set(files) == {*static_names(), *MADE}
        assert all(path.is_file() for path in files.values())
        assert "index.html" in files


def test_a_tokenizer_is_exported_once(made, checkpoint, tmp_path):
    for _ in range(2):
        with site_files(checkpoint, tmp_path) as files:
            assert files[MADE[0]].read_text() == "0"
    assert len(made) == 1


def test_another_tokenizer_is_exported_too(made, checkpoint, tmp_path):
    other = replace(checkpoint, sha256="cd" * 32)
    for each in (checkpoint, other, checkpoint, other):
        with site_files(each, tmp_path):
            pass
    assert made == [checkpoint.sha256, other.sha256]


def test_what_is_missing_is_made_again(made, checkpoint, tmp_path):
    with site_files(checkpoint, tmp_path) as files:
        files[MADE[1]].unlink()
    with site_files(checkpoint, tmp_path) as files:
        assert files[MADE[1]].read_text() == "1"


def test_without_a_place_to_keep_it_a_temporary_one_is_used(made, checkpoint, tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    with site_files(checkpoint, file) as files:
        place = files[MADE[0]]
        assert place.is_file()
    assert not place.exists()
    assert file.read_text() == "no folder"


def test_a_user_without_a_home_gets_a_temporary_one(made, checkpoint, monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with site_files(checkpoint) as files:
        assert all(path.is_file() for path in files.values())
    assert not files["facts.json"].exists()


def test_a_folder_is_written_whole_and_nothing_else_is_replaced(made, checkpoint, tmp_path):
    folder = write_site(checkpoint, tmp_path / "site")
    assert {each.name for each in folder.iterdir()} == {*static_names(), *MADE}
    with pytest.raises(OutputError, match="exists"):
        write_site(checkpoint, folder)
    write_site(checkpoint, folder, force=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        write_site(checkpoint, folder, force=True)


@pytest.mark.parametrize("tokenizer", ["tubelet-m-rate", "klt-4x8x8-motion", "klt-4x8x8"])
def test_the_page_has_the_priors_of_its_tokenizer(tokenizer, tmp_path):
    sha256 = read_continuous(tokenizer).sha256
    write_priors(shipped_folders(sha256, {}), tmp_path)
    facts = json.loads((tmp_path / site.PRIORS).read_text())
    weights = gzip.decompress((tmp_path / site.PRIOR_WEIGHTS).read_bytes())
    assert sum(each["size"] for each in facts) == len(weights)
    prior = prior_for(sha256)
    expected = [] if prior is None else [(prior.config.name, prior.sha256)]
    assert [(each["config"]["name"], each["sha256"]) for each in facts] == expected


def test_what_a_prior_lies_beside_comes_too():
    beside = [folder.name for folder in shipped_folders("ab" * 32, {"motion": 6, "content": 64})]
    assert beside == ["klt-4x8x8-motion-prior"]
    assert shipped_folders("ab" * 32, {"latent": 64}) == []


def test_without_photographs_the_cure_is_named(monkeypatch, checkpoint, tmp_path):
    def missing():
        raise OptionError("scikit-image is missing")

    monkeypatch.setattr(site, "check_photographs", missing)
    with pytest.raises(OptionError, match="scikit-image"), site_files(checkpoint, tmp_path):
        pass
    assert not any(each.name.startswith("page-") for each in tmp_path.iterdir())


def test_a_taken_port_is_said_before_anything_is_made(made, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "is in use" in capsys.readouterr().err
    assert made == []
