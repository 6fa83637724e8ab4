"""A prior of vectors and flags: exact both ways, as its slow twin says, and shorter the smoother they are."""

import json
from itertools import product

import numpy as np
import pytest
from recorder import recorded
from safetensors.numpy import load_file, save_file

from tubelet.bitstream import PartHeader
from tubelet.bitstream.coding import ModelCoding
from tubelet.errors import CheckpointError, OptionError
from tubelet.json_fields import fields_from_json
from tubelet.priors.files import fingerprint, read_prior, save_prior
from tubelet.priors.motion.contexts import CONTEXTS, FLAGS, SHAPE
from tubelet.priors.motion.model import FlagModel, VectorModel
from tubelet.priors.motion.prior import MotionPrior, MotionPriorConfig
from tubelet.train.prior.fit_motion import MotionCounts, fit_motion_prior

SHAPES = [(1, 1, 1), (2, 3, 5), (3, 17, 9), (1, 1, 30)]


def smooth_field(shape, *, channels=6, seed=0):
    """Two regions that slide at speeds of their own, and a little noise: ``c t h w``."""
    random = np.random.default_rng(seed)
    steps, height, width = shape
    left = np.arange(width) < width // 2
    speeds = random.integers(-9, 10, (channels, steps, 1, 2))
    field = np.where(left, speeds[..., :1], speeds[..., 1:]) * np.ones((1, 1, height, 1), np.int64)
    noise = random.integers(-2, 3, field.shape) * (random.random(field.shape) < 0.1)
    return (field + noise).astype(np.int32)


def fitted(*, channels=6):
    counts = MotionCounts()
    for seed in range(3):
        field = smooth_field((3, 16, 20), channels=channels, seed=seed)
        counts.add(field, (np.abs(field[:1]) > 7).astype(np.int32))
    names = {"name": "own", "tokenizer": "some", "tokenizer_sha256": "ab" * 32}
    return fit_motion_prior(counts, channels=channels, **names)


@pytest.fixture(scope="module")
def prior():
    config, arrays = fitted()
    return MotionPrior(config, arrays, sha256="0" * 64)


def part_of(name, symbols, **changes):
    channels, _, rows, columns = symbols.shape
    facts = {"stride": (4, 8, 8), "rows": rows, "columns": columns, "steps": (1,) * channels}
    return PartHeader(name=name, channels=channels, **(facts | changes))


def coding_of(prior, name, symbols):
    part = part_of(name, symbols)
    return ModelCoding(part, prior.model_of(part))


def bytes_of(prior, name, symbols):
    """How many it takes; what is read back is checked."""
    coding = coding_of(prior, name, symbols)
    segment = coding.encode(0, symbols, None)
    back = coding.decode(0, segment.to_bytes(), symbols[:0], None)
    assert np.array_equal(back, symbols)
    return len(segment)


@pytest.mark.parametrize("shape", SHAPES)
def test_vectors_and_flags_are_read_as_they_were_written(prior, shape):
    random = np.random.default_rng(1)
    field = smooth_field(shape)
    wild = random.integers(-(2**23) + 1, 2**23, field.shape).astype(np.int32)
    some = random.random(field.shape) < 0.1
    for vectors in (field, 0 * field, np.where(some, wild, field), wild):
        bytes_of(prior, "motion", vectors)
    flags = random.integers(0, 2, (1, *shape)).astype(np.int32)
    for plain in (flags, 0 * flags, 0 * flags + 1, 1000 * flags - 7):
        bytes_of(prior, "plain", plain)


@pytest.mark.parametrize("channels", [2, 4, 14])
def test_a_group_may_have_any_number_of_frames(channels):
    config, arrays = fitted(channels=channels)
    own = MotionPrior(config, arrays, sha256="0" * 64)
    bytes_of(own, "motion", smooth_field((2, 7, 6), channels=channels))


def test_smooth_vectors_take_a_fraction_of_those_without_order(prior):
    field = smooth_field((3, 16, 20), seed=9)
    shuffled = np.random.default_rng(0).permutation(field.reshape(6, 3, -1), axis=2).reshape(field.shape)
    assert bytes_of(prior, "motion", field) < 0.4 * bytes_of(prior, "motion", shuffled)


def slow_passes(height, width):
    """Each pass as its kind and its positions, each with those around it that are known and inside."""
    taken, grid = set(), 8
    first = [(r, c) for r, c in product(range(height), range(width)) if r % 8 == 0 and c % 8 == 0]
    yield 0, [(place, []) for place in first]
    taken.update(first)
    while grid > 1:
        half = grid // 2
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        sides = [(-half, 0), (0, -half), (0, half), (half, 0)]
        for centre, around in ((True, corners), (False, sides)):
            found = []
            for r, c in product(range(height), range(width)):
                new = r % half == 0 and c % half == 0 and (r, c) not in taken
                if new and (not centre or (r % grid == half and c % grid == half)):
                    near = [(r + y, c + x) for y, x in around]
                    found.append(((r, c), [p for p in near if 0 <= p[0] < height and 0 <= p[1] < width]))
            taken.update(place for place, _ in found)
            yield (1 if half > 1 else 3) + (not centre), found
        grid = half
    assert len(taken) == height * width


def class_of(number, edges):
    return sum(number >= edge for edge in edges)


def slow_choices(vectors):
    """Offset and context of every number of the vectors ``k 2 t h w``, by its place."""
    frames, _, steps, height, width = vectors.shape
    chosen = {}
    for t in range(steps):
        merged = {}
        for turn, k in enumerate([frames - 1, *range(frames - 1)]):
            field = {}
            for kind, positions in slow_passes(height, width):
                for (r, c), near in positions:
                    here = [int(vectors[k, n, t, r, c]) for n in (0, 1)]
                    linear = [0, 0]
                    if turn:
                        before = [int(vectors[k - 1, n, t, r, c]) if k else 0 for n in (0, 1)]
                        left = frames - k
                        last = [int(vectors[-1, n, t, r, c]) for n in (0, 1)]
                        pairs = zip(before, last, strict=True)
                        linear = [b + (2 * (e - b) + left) // (2 * left) for b, e in pairs]
                    around = [field[place] for place in near]
                    expected, support = (0, 0), 0
                    if around:
                        middle = [sorted(v[n] for v in around)[(len(around) - 1) // 2] for n in (0, 1)]
                        ranked = [
                            (-around.count(v), abs(v[0] - middle[0]) + abs(v[1] - middle[1]), place)
                            for place, v in enumerate(around)
                        ]
                        votes, _, best = min(ranked)
                        expected, support = around[best], -votes
                    far = max((abs(v[0] - expected[0]) + abs(v[1] - expected[1]) for v in around), default=0)
                    nearby = linear if turn else expected
                    numbers = [
                        min(turn, 2),
                        kind,
                        support,
                        class_of(far, (1, 3, 7, 17, 41)),
                        int(merged.get((r, c), False)),
                        int(expected == (0, 0)),
                        class_of(abs(nearby[0]) + abs(nearby[1]), (1, 8, 32)),
                    ]
                    off = [here[n] - linear[n] - expected[n] for n in (0, 1)]
                    for n, first in ((1, 0), (0, 1 + class_of(abs(off[1]), (1, 3, 9)))):
                        place = (((2 * k + n) * steps + t) * height + r) * width + c
                        context = int(np.ravel_multi_index([first, *numbers], SHAPE))
                        chosen[place] = (expected[n] + linear[n], context)
                    field[r, c] = (here[0] - linear[0], here[1] - linear[1])
                    if not turn:
                        merged[r, c] = off == [0, 0]
    return chosen


@pytest.mark.parametrize("shape", [(2, 9, 11), (1, 2, 3)])
def test_vectors_are_expected_as_the_slow_twin_expects_them(shape):
    field = smooth_field(shape, seed=4)
    model = VectorModel("own", "", 6, (), np.arange(CONTEXTS))
    ((places, offsets, contexts),) = recorded(model, field)
    expected = slow_choices(field.reshape(3, 2, *shape))
    found = {
        int(place): (int(offset), int(context))
        for place, offset, context in zip(places, offsets, contexts, strict=True)
    }
    assert found == expected


def test_flags_are_expected_by_how_many_around_are_set():
    flags = (smooth_field((2, 9, 11))[:1] > 0).astype(np.int32)
    model = FlagModel("own", "", (), np.arange(FLAGS))
    ((places, offsets, contexts),) = recorded(model, flags)
    expected = {}
    for t in range(2):
        for kind, positions in slow_passes(9, 11):
            for (r, c), near in positions:
                ones = sum(int(flags[0, t, y, x]) for y, x in near)
                expected[(t * 9 + r) * 11 + c] = (kind * 5 + len(near)) * 5 + ones
    assert dict(zip(places.tolist(), contexts.tolist(), strict=True)) == expected
    assert not offsets.any()


def test_other_parts_have_no_model(prior):
    field = smooth_field((1, 2, 3))
    assert prior.model_of(part_of("content", field)) is None
    assert prior.model_of(part_of("motion", field[:4])) is None
    assert prior.model_of(part_of("motion", field, counts=(0, 6))) is None
    assert prior.model_of(part_of("plain", field[:2])) is None


def test_there_is_no_map_of_counts(prior):
    field = smooth_field((1, 2, 3))
    for name, symbols in (("motion", field), ("plain", field[:1])):
        with pytest.raises(OptionError, match="no map of counts"):
            prior.model_of(part_of(name, symbols)).code_counts((1, 2, 3), 2, lambda *_: np.zeros(0, np.int32))


def test_what_is_saved_is_read_and_what_was_changed_is_refused(tmp_path):
    config, arrays = fitted()
    folder = save_prior(config, arrays, tmp_path / "own", card="# own\n")
    prior = read_prior(folder)
    assert isinstance(prior, MotionPrior)
    assert (prior.config, prior.sha256) == (config, fingerprint(config, arrays))
    for name, damage in (("frequencies", 2), ("of_vectors", 255)):
        wrong = {key: array.copy() for key, array in load_file(folder / "weights.safetensors").items()}
        wrong[name].flat[5] = damage
        with pytest.raises(CheckpointError, match="tables of own are damaged"):
            MotionPrior(config, wrong, sha256="")
        save_file(wrong, tmp_path / "own" / "weights.safetensors")
        with pytest.raises(CheckpointError, match="must agree"):
            read_prior(folder)


def test_a_kind_of_a_newer_program_is_named(tmp_path):
    folder = save_prior(*fitted(), tmp_path / "own", card="# own\n")
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(facts | {"kind": "dreams"}))
    with pytest.raises(CheckpointError, match="kind 'dreams', unknown to this program"):
        read_prior(folder)


def test_the_numbers_of_a_prior_are_bounded():
    numbers = {"name": "a", "tokenizer": "b", "tokenizer_sha256": "c", "tables": 3, "reach": 4}
    with pytest.raises(CheckpointError, match="channels"):
        fields_from_json(MotionPriorConfig, numbers | {"channels": 1000}, "here")
