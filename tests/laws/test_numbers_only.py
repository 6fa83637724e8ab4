"""Law 8: nothing read from a file is executed; damage is noticed and named."""

import re
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import tubelet
from tubelet.errors import CheckpointError
from tubelet.testing import check_refuses_nan

_SOURCE = Path(tubelet.__file__).parent


def test_a_latent_with_nan_does_not_become_frames(any_tokenizer):
    from clips import make_clip  # noqa: PLC0415

    check_refuses_nan(any_tokenizer, make_clip(any_tokenizer, (3, 9, 9), 1))


@pytest.mark.parametrize("word", ["pickle", "torch.load", "eval(", "exec(", "yaml", "marshal", "shelve"])
def test_no_module_uses_what_executes_data(word):
    # pickletools takes a pickle apart and obeys nothing in it.
    pattern = re.compile(rf"(?<![\w.]){re.escape(word)}(?!tools\b)")
    for path in _SOURCE.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            code = line.split("#")[0]
            assert not (pattern.search(code) and ("import" in code or "(" in word or "." in word)), path


def test_a_changed_weight_is_noticed(tmp_path):
    for path in (_SOURCE / "weights" / "klt-4x8x8").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "weights.safetensors")
    weights["transform.deviation"][3] += 1e-6
    save_file(weights, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="they must agree"):
        tubelet.load(tmp_path)
