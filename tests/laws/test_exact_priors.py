"""Law 9 for priors: which table a symbol is coded with is the same integer on every machine."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from prior_answers import STEPS, answers, contexts
from random_priors import parts_of, prior_of, random_network
from recorder import random_symbols, recorded
from whole_prior import WholeGroup

from tubelet.priors.predictor import Expected
from tubelet.priors.tables import choose_open

SETTINGS = {
    "as it is": {},
    "one thread": {"OPENBLAS_NUM_THREADS": "1"},
    "two threads": {"OPENBLAS_NUM_THREADS": "2"},
    "kernels of Haswell": {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "2"},
    "kernels of Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge", "OPENBLAS_NUM_THREADS": "1"},
    "kernels of Prescott": {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"},
    "no vectors in NumPy": {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
}
"""How NumPy may compute: by kernels of other processors, in other orders, with and without FMA."""


def check_formats(total, seed):
    symbols, network = contexts(total, seed=seed), random_network(seed=seed)
    narrow, wide = (answers(prior_of(network, kind=kind), symbols) for kind in (np.float32, np.float64))
    for one, other in zip(narrow, wide, strict=True):
        assert np.array_equal(one, other)
    assert len(np.unique(narrow[2])) > 50


def check_settings(tmp_path, total, settings):
    config, arrays = parts_of(random_network(hidden=40))
    path, here = tmp_path / "prior.npz", Path(__file__).parent
    np.savez(path, config=json.dumps(asdict(config)), **arrays)
    places = [str(here), str(here.parent / "unit" / "priors"), str(here.parents[1] / "src")]
    program = f"from prior_answers import digest; print(digest({str(path)!r}, {total}))"
    found = {}
    for name in settings:
        environment = os.environ | SETTINGS[name] | {"PYTHONPATH": os.pathsep.join(places)}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        found[name] = run.stdout
    assert len(set(found.values())) == 1, found


def test_float32_and_float64_answer_the_same_to_a_hundred_thousand_contexts():
    check_formats(100_000, 0)


@pytest.mark.parametrize("passes", [2, 4])
def test_whole_numbers_without_any_float_answer_the_same(passes):
    network = random_network()
    config, arrays = parts_of(network)
    symbols = random_symbols((8, 4, 7, 6), seed=3, extreme=True)
    part = prior_of(network).for_part(steps=STEPS)
    found = recorded(part, symbols)
    for group, (start, stop) in enumerate(config.groups):
        if config.passes[group] != passes:
            continue
        own = {
            n.removeprefix(f"group_{group}."): a for n, a in arrays.items() if n.startswith(f"group_{group}.")
        }
        whole = WholeGroup(own, lower=start, own=stop - start, passes=passes)
        mean, scale = whole.expect(symbols.astype(np.int64), part.step_class)
        choice = choose_open(Expected(mean, scale))
        assert np.array_equal(found[group][1], choice.offsets.ravel())
        assert np.array_equal(found[group][2], choice.tables.ravel())


def test_threads_and_kernels_answer_the_same(tmp_path):
    check_settings(tmp_path, 30_000, ["one thread", "two threads", "kernels of Prescott"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_float32_and_float64_answer_the_same_to_ten_million_contexts(seed):
    check_formats(1_000_000, seed)


@pytest.mark.slow
def test_all_threads_and_kernels_answer_the_same(tmp_path):
    check_settings(tmp_path, 1_000_000, SETTINGS)
