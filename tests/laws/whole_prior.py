"""A prior's arithmetic once more: position by position, in Python's and NumPy's whole numbers alone.

The slow and obvious twin of `tubelet.priors`: no floating-point number, no product of matrices, no planes.
"""

import numpy as np

from tubelet.priors.numbers import AVERAGES, COUNT_CLASSES, MAGNITUDES

NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
PATTERNS = {2: [[0, 1], [1, 0]], 4: [[0, 2], [3, 1]]}


def rounded_shift(total, shift):
    return (total + ((1 << shift) >> 1)) >> shift


def seen(symbol):
    return int(np.sign(symbol)) * int(MAGNITUDES[min(abs(int(symbol)), len(MAGNITUDES) - 1)])


def average(symbols):
    """Of a channel of a step, ``h w``."""
    sizes = sum(abs(seen(symbol)) for symbol in symbols.ravel())
    return int(AVERAGES[16 * sizes // symbols.size])


class WholeGroup:
    """One group of a prior of latents."""

    def __init__(self, weights, *, lower, own, passes):
        self.w = {name: array.astype(np.int64) for name, array in weights.items()}
        self.lower, self.own, self.passes = lower, own, passes

    def expect(self, symbols, step_class):
        """Mean and class of scale of every own symbol of a chunk (``c t h w``, all channels present)."""
        _, steps, rows, columns = symbols.shape
        mean = np.zeros((self.own, steps, rows, columns), np.int64)
        scale = np.zeros_like(mean)
        known = self.lower + self.own
        for t in range(steps):
            now = symbols[:known, t]
            before = symbols[:known, t - 1] if t else np.zeros_like(now)
            older = symbols[:known, t - 2] if t > 1 else np.zeros_like(now)
            averages = [average(each) for each in now[: self.lower]] + [average(each) for each in before]
            for y in range(rows):
                for x in range(columns):
                    found = self._position(now, before, older, averages, t, y, x, step_class)
                    mean[:, t, y, x], scale[:, t, y, x] = found
        return mean, scale

    def _position(self, now, before, older, averages, t, y, x, step_class):
        w, low = self.w, self.lower
        rows, columns = now.shape[1:]
        turn = PATTERNS[self.passes][y % 2][x % 2]
        counts = [64] * len(COUNT_CLASSES)
        first = w["step"][step_class] + w["turn"][turn]
        near = iter(w[f"near_{turn}"]) if turn else iter([])
        linear = np.zeros(self.own, np.int64)
        for tap, (dy, dx) in enumerate(NEIGHBOURS):
            v, u = y + dy, x + dx
            inside = 0 <= v < rows and 0 <= u < columns
            earlier = PATTERNS[self.passes][v % 2][u % 2] < turn
            if inside:
                here, past, old = now[:, v, u], before[:, v, u], older[:, v, u]
                wide = [abs(seen(s)) for s in here[:low]]
                wide += [abs(seen(s - p)) for s, p in zip(here[:low], past[:low], strict=True)]
                wide += [abs(seen(p)) for p in past] + counts
                first = first + np.array(wide) @ w["wide"][tap]
                linear += np.clip(here[: w["linear_lower"].shape[1]], -1023, 1023) @ w["linear_lower"][tap]
                linear += np.clip(past[low:], -1023, 1023) * w["linear_before"][turn, tap]
            if earlier:
                weight = next(near)
                if inside:
                    own, own_past = here[low:], past[low:]
                    sizes = [abs(seen(s)) for s in own]
                    changes = [abs(seen(s - p)) for s, p in zip(own, own_past, strict=True)]
                    first = first + np.array([seen(s) for s in own] + sizes + changes) @ weight
                    linear += np.clip(own, -1023, 1023) * w["linear_near"][turn, tap]
            if (dy, dx) == (0, 0):
                narrow = [seen(s) for s in here[:low]] + [seen(p) for p in past]
                narrow += [abs(seen(p - o)) for p, o in zip(past, old, strict=True)]
                narrow += counts if t else [0] * len(counts)
                first = first + np.array(narrow) @ w["narrow"]
        first = first + np.array(averages) @ w["averages"]
        hidden = np.clip(rounded_shift(first, w["first_shift"]), 0, 255)
        second = np.clip(rounded_shift(hidden @ w["second"] + w["second_bias"], w["second_shift"]), 0, 255)
        sums = np.concatenate([hidden, second]) @ w["last"] + w["last_bias"][step_class]
        m, gate_before, gate_linear, scale = np.split(rounded_shift(sums, w["last_shift"]), 4)
        linear = np.clip(rounded_shift(linear, w["linear_shift"]), -16368, 16368)
        past = np.clip(before[low:, y, x], -1023, 1023)
        predicted = np.clip(gate_before, 0, 64) * past * 16 + np.clip(gate_linear, 0, 64) * linear
        mean = np.clip(m, -255, 255) + rounded_shift(predicted, 7)
        return mean, np.clip(scale + 16, 0, 43)
