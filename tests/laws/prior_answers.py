"""What a prior answers to many random contexts; imports no torch, and runs in processes of its own."""

import hashlib
import json

import numpy as np
from recorder import random_symbols, recorded

from tubelet.priors.config import PriorConfig
from tubelet.priors.context import ContextPrior

STEPS = (1 << 17,) * 8
"""Quantiser steps half the usual ones."""


def contexts(total, *, seed=0):
    """Symbols of many sizes, a fifth of them extreme, of about so many positions times channels."""
    steps = max(2, total // (8 * 24 * 25))
    return random_symbols((8, steps, 24, 25), seed=seed, extreme=True)


def answers(prior, symbols):
    """Place, offset and table of every symbol."""
    found = recorded(prior.for_part(steps=STEPS), symbols)
    return [np.concatenate([each[n] for each in found]) for n in range(3)]


def digest(path, total):
    """Of all answers of a stored prior."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "config"}
        numbers = json.loads(str(stored["config"]))
    config = PriorConfig(**{n: tuple(v) if isinstance(v, list) else v for n, v in numbers.items()})
    found = hashlib.sha256()
    for answer in answers(ContextPrior(config, arrays, sha256="0" * 64), contexts(total)):
        found.update(answer.astype("<i4").tobytes())
    return found.hexdigest()
