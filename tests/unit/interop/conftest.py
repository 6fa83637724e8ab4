from collections.abc import Callable
from importlib.util import find_spec

import pytest
import torch

from tubelet.interop.rivals import DiffusersTokenizer, open_diffusers
from tubelet.interop.tiny import tiny_model

# An extra: pip install 'tubelet[diffusers]'.
if find_spec("diffusers") is None:
    collect_ignore = ["test_as_diffusers.py", "test_open_diffusers.py", "test_pipelines.py", "test_rivals.py"]


@pytest.fixture(scope="session")
def opened(tmp_path_factory) -> Callable[[str], DiffusersTokenizer]:
    """A tiny model, stored by diffusers and opened by us; decodes in float32."""
    kept: dict[str, DiffusersTokenizer] = {}

    def find(label: str) -> DiffusersTokenizer:
        if label not in kept:
            folder = tmp_path_factory.mktemp("rival")
            tiny_model(label).save_pretrained(folder)
            kept[label] = open_diffusers(folder, decode_dtype=torch.float32)
        return kept[label]

    return find
