import importlib
import sys

import pytest

import tubelet.interop
from tubelet.errors import OptionError
from tubelet.interop.rivals import open_diffusers


@pytest.fixture
def no_diffusers(monkeypatch):
    """As if it were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "diffusers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    monkeypatch.delitem(sys.modules, "tubelet.interop.as_diffusers", raising=False)


def test_the_package_can_be_imported_and_lists_its_names(no_diffusers):
    importlib.reload(tubelet.interop)
    assert dir(tubelet.interop) == sorted(tubelet.interop.__all__)


def test_opening_a_rival_says_what_to_install(no_diffusers, tmp_path):
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[diffusers\]'"):
        open_diffusers(tmp_path)


def test_asking_for_our_autoencoder_says_what_to_install(no_diffusers):
    with pytest.raises(OptionError, match=r"pip install 'tubelet\[diffusers\]'"):
        _ = tubelet.interop.AutoencoderTubelet


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match="open_diffusers"):
        _ = tubelet.interop.nothing
