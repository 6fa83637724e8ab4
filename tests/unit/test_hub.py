"""Tokenizers go to the Hugging Face hub and come back; here it is a server in the process of the test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import serving

from tubelet import checkpoint, hub
from tubelet.errors import CheckpointError, OptionError

SCRIPT = """
import json, sys
import torch
import tubelet
from tubelet.hub import push_to_hub

folder, shown = sys.argv[1], {}
tokenizer = tubelet.load(folder)
shown["url"] = push_to_hub(tokenizer, "somebody/mine", token="secret")
shown["folder"] = push_to_hub(folder, "somebody/folder", token="secret")
video = torch.linspace(-1, 1, 3 * 5 * 8 * 8).reshape(1, 3, 5, 8, 8)
back = tubelet.load("somebody/mine")
shown["same"] = torch.equal(back.encode(video), tokenizer.encode(video))
tubelet.load("somebody/mine")
for name in ("somebody/absent", "somebody/empty"):
    try:
        tubelet.load(name)
    except tubelet.TubeletError as error:
        shown[name] = str(error)
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def server():
    with serving() as hub:
        hub.repositories["somebody/empty"] = {"README.md": b"# nothing"}
        yield hub


@pytest.fixture(scope="module")
def shown(server, small_folder, tmp_path_factory):
    """What the script says, in a process that knows no other hub."""
    pytest.importorskip("huggingface_hub")
    home = str(tmp_path_factory.mktemp("hub"))
    environment = os.environ | {
        "HF_ENDPOINT": server.address,
        "HF_HOME": home,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(small_folder)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_tokenizer_comes_back_as_it_went(server, shown):
    assert shown["same"]
    assert shown["url"].startswith(f"{server.address}/somebody/mine/commit/")
    assert set(server.repositories["somebody/mine"]) == {*hub.FILES, "README.md"}


def test_what_was_fetched_is_not_fetched_again(server, shown):
    assert sorted(server.fetched) == sorted(hub.FILES)


def test_a_folder_goes_as_it_is(server, shown, small_folder):
    assert (
        server.repositories["somebody/folder"]["config.json"] == (small_folder / "config.json").read_bytes()
    )


def test_the_page_of_a_repository_is_the_card_under_a_header(server, shown):
    page = server.repositories["somebody/mine"]["README.md"].decode()
    assert page.startswith("---\nlibrary_name: tubelet\n")
    assert "license" not in page
    assert page.endswith(server.repositories["somebody/mine"]["card.md"].decode())


def test_a_repository_that_is_not_there_or_holds_no_tokenizer_is_named(shown):
    assert (
        "'somebody/absent' is not a folder here, and cannot be fetched from the hub"
        in shown["somebody/absent"]
    )
    assert "holds no checkpoint of tubelet" in shown["somebody/empty"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("owner/name", True),
        ("owner/name@v1.0", True),
        ("name", False),
        ("/owner/name", False),
        ("./owner/name", False),
        ("owner/name/more", False),
        ("../name", False),
        ("here/name", False),
    ],
)
def test_what_may_be_a_path_is_no_repository(name, is_one, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert hub.is_repository(name) == is_one
    if not is_one:
        with pytest.raises(CheckpointError, match="neither a shipped tokenizer nor a folder"):
            checkpoint.find(name)


def test_without_the_library_the_cure_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"not a folder here.*pip install 'tubelet\[hub\]'"):
        checkpoint.find("owner/name")
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[hub\]'"):
        hub.push_to_hub(tmp_path, "owner/name")


def test_what_cannot_be_pushed_is_refused(tmp_path):
    with pytest.raises(OptionError, match="reads owner/name"):
        hub.push_to_hub(tmp_path, "name")
    pytest.importorskip("huggingface_hub")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        hub.push_to_hub(tmp_path, "owner/name")


@pytest.mark.parametrize(
    "card",
    sorted(Path(checkpoint.__file__).parent.rglob("weights/*/card.md")),
    ids=lambda path: path.parent.name,
)
def test_the_header_of_a_shipped_card_is_yaml(card):
    yaml = pytest.importorskip("yaml")
    _, header, body = card.read_text(encoding="utf-8").split("---\n", 2)
    facts = yaml.safe_load(header)
    assert facts["license"] == "apache-2.0"
    assert facts["library_name"] == "tubelet"
    assert {"video"} <= set(facts["tags"])
    assert body.startswith(f"\n# {card.parent.name}\n")
