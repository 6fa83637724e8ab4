"""Folders that were made for what then failed."""

import pytest

from tubelet.files.made import no_empty_folders


def test_what_failed_leaves_no_empty_folder(tmp_path):
    folder = tmp_path / "runs" / "first"
    with pytest.raises(ValueError, match="no clips"), no_empty_folders(folder):
        (folder / "crops").mkdir(parents=True)
        raise ValueError("no clips")
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_stays(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match="late"), no_empty_folders(folder):
        (folder / "crops").mkdir(parents=True)
        (folder / "log.jsonl").write_text("{}")
        raise ValueError("late")
    assert [each.name for each in folder.iterdir()] == ["log.jsonl"]


def test_a_folder_that_was_there_stays(tmp_path):
    (tmp_path / "run" / "mine").mkdir(parents=True)
    with pytest.raises(ValueError, match="late"), no_empty_folders(tmp_path / "run"):
        raise ValueError("late")
    assert (tmp_path / "run" / "mine").is_dir()


def test_what_ends_well_keeps_its_folder(tmp_path):
    with no_empty_folders(tmp_path / "run"):
        (tmp_path / "run").mkdir()
    assert (tmp_path / "run").is_dir()
