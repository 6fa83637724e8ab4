import os
import socket
from pathlib import Path

import pytest

from tubelet.errors import OptionError, OutputError
from tubelet.files import check_folder, check_suffix, check_target, check_targets


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.mp4"
    path.write_bytes(b"film")
    return path


def test_a_folder_is_no_target(tmp_path):
    with pytest.raises(OutputError, match=r"is a folder; .* Give a file name inside it"):
        check_target(tmp_path, force=True)


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_missing_folder_is_named(tmp_path, parent):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"{parent} is not a folder; .* Create it first"):
        check_target(tmp_path / parent / "x", force=True)


def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path):
    with pytest.raises(OutputError, match="too long"):
        check_target(tmp_path / ("x" * 256), force=True)


@pytest.mark.parametrize("how", ["itself", "symbolic link", "hard link", "dots", "link to its folder"])
def test_an_input_is_no_target_under_whatever_name(source, how):
    target = source.with_name("other.mp4")
    if how == "itself":
        target = source
    elif how == "symbolic link":
        target.symlink_to(source)
    elif how == "hard link":
        target.hardlink_to(source)
    elif how == "dots":
        target = source.parent / ".." / source.parent.name / source.name
    else:
        (source.parent / "here").symlink_to(source.parent)
        target = source.parent / "here" / source.name
    with pytest.raises(OptionError, match="inputs are never written"):
        check_target(target, sources=[source], force=True)


def test_two_results_do_not_go_into_one_file(tmp_path):
    (tmp_path / "link.json").symlink_to("a.json")
    for other in (tmp_path / "a.json", tmp_path / "link.json", tmp_path / ".." / tmp_path.name / "a.json"):
        with pytest.raises(OptionError, match="two results go there"):
            check_targets([tmp_path / "a.json", other], force=True)


def test_devices_and_sockets_are_no_targets(tmp_path):
    places = [Path("/dev/null"), tmp_path / "link"]
    places[1].symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        for place in (*places, tmp_path / "socket"):
            with pytest.raises(OutputError, match="a device or socket"):
                check_target(place, force=True)


def test_standard_output_is_no_file():
    with pytest.raises(OptionError, match="- is standard output"):
        check_target(Path("-"), force=True)


def test_a_link_that_leads_to_itself_is_named(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="leads to itself"):
        check_target(tmp_path / "a", force=True)


def test_a_folder_that_lets_nothing_be_made_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="Choose another folder"):
        check_target(tmp_path / "x", force=True)
    with pytest.raises(OutputError, match="Choose another folder"):
        check_folder(tmp_path / "new" / "folder", holds=(), force=True)


def test_the_suffix_says_what_a_file_holds(tmp_path):
    check_suffix(tmp_path / "x.TUBE", [".tube"], "a file of latents")
    with pytest.raises(
        OptionError, match=r"ends in '\.mp4'; the name of a file of latents ends in \.tube\. Change"
    ):
        check_suffix(tmp_path / "x.mp4", [".tube"], "a file of latents")
    with pytest.raises(OptionError, match="x ends in no suffix; the name"):
        check_suffix(tmp_path / "x", [".tube"], "a file of latents")
    os.mkfifo(tmp_path / "pipe")
    check_suffix(tmp_path / "pipe", [".tube"], "a file of latents")


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"holds other files \(thesis\.tex\)"):
        check_folder(tmp_path / "x", holds=["config.json"], force=True)


def test_a_folder_is_replaced_only_if_asked_and_an_empty_one_is_nothing(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    check_folder(folder, holds=["config.json"], force=False)
    (folder / "config.json").touch()
    with pytest.raises(OutputError, match="exists; nothing is overwritten unasked"):
        check_folder(folder, holds=["config.json"], force=False)
    check_folder(folder, holds=["config.json"], force=True)


def test_a_folder_that_is_read_is_no_target(tmp_path):
    with pytest.raises(OptionError, match="also an input"):
        check_folder(tmp_path, holds=(), sources=[tmp_path / "." / ""], force=True)


def test_the_folder_one_is_in_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="the folder that you are in"):
        check_folder(Path(), holds=(), force=True)
