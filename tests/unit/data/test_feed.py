"""What a step of training sees does not depend on who draws it, or when."""

import threading
import time
from collections import Counter

import numpy as np
import pytest

from tubelet.data import feed
from tubelet.data.crops import Clip, Crops, Cut, Index
from tubelet.data.feed import Draw, crop_feed, draw_batch, draw_clip
from tubelet.errors import OptionError

WHOLE = Draw(batch=6, frames=9, side=16, flip=False)
SMALL = Draw(batch=6, frames=5, side=8)


class InMemory(list[np.ndarray]):
    """Crops that are in no files."""

    @property
    def nbytes(self):
        return sum(each.nbytes for each in self)


def make_crops(*counts):
    """Crops of noise, so many of each clip."""
    cut = Cut(first=0, stride=1, scale=1.0, row=0, column=0)
    clips = tuple(Clip(name=f"{n}.mp4", size=1, cuts=(cut,) * count) for n, count in enumerate(counts))
    settings = {"crop": 16, "frames": 9, "per_clip": max(counts), "seed": 0}
    generator = np.random.default_rng(0)
    blocks = InMemory(generator.integers(0, 256, (count, 9, 16, 16, 3), np.uint8) for count in counts)
    return Crops(Index(settings=settings, clips=clips), blocks)


@pytest.fixture(scope="module")
def crops():
    return make_crops(3, 1, 5)


def position(crop, window):
    """Where a window is in a crop: the first frame, row and column; None if it is nowhere."""
    frames, side = len(window), window.shape[1]
    for first in range(len(crop) - frames + 1):
        for row in range(crop.shape[1] - side + 1):
            for column in range(crop.shape[2] - side + 1):
                if (crop[first : first + frames, row : row + side, column : column + side] == window).all():
                    return first, row, column
    return None


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
def test_a_batch_is_the_union_of_its_parts_however_it_is_split(crops, processes):
    whole = draw_batch(crops, SMALL, seed=1, step=7, indices=range(6))
    share = 6 // processes
    parts = [
        draw_batch(crops, SMALL, seed=1, step=7, indices=range(rank * share, (rank + 1) * share))
        for rank in range(processes)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    striped = [
        draw_batch(crops, SMALL, seed=1, step=7, indices=range(rank, 6, processes))
        for rank in range(processes)
    ]
    for rank, part in enumerate(striped):
        np.testing.assert_array_equal(part, whole[rank::processes])


def test_seeds_steps_and_indices_differ(crops):
    windows = [
        draw_clip(crops, SMALL, seed=seed, step=step, index=index).tobytes()
        for seed, step, index in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 2), (0, 2, 1)]
    ]
    assert len(set(windows)) == len(windows)


def test_windows_lie_in_crops_and_reach_their_edges(crops):
    draw = Draw(batch=1, frames=8, side=15, flip=False)
    places = Counter()
    for step in range(60):
        window = draw_clip(crops, draw, seed=0, step=step, index=0)
        found = [place for crop in crops if (place := position(crop, window)) is not None]
        assert len(found) == 1
        places[found[0]] += 1
    assert len(places) == 2 * 2 * 2


def test_flip_mirrors_left_and_right_and_reverse_runs_backwards(crops):
    seen = set()
    for step in range(60):
        plain = draw_clip(crops, WHOLE, seed=0, step=step, index=0)
        both = Draw(batch=6, frames=9, side=16, flip=True, reverse=True)
        drawn = draw_clip(crops, both, seed=0, step=step, index=0)
        ways = {
            "plain": plain,
            "mirrored": plain[:, :, ::-1],
            "backwards": plain[::-1],
            "both": plain[::-1, :, ::-1],
        }
        seen |= {name for name, way in ways.items() if np.array_equal(drawn, way)}
        flipped = draw_clip(crops, Draw(batch=6, frames=9, side=16), seed=0, step=step, index=0)
        assert np.array_equal(flipped, plain) or np.array_equal(flipped, plain[:, :, ::-1])
    assert seen == {"plain", "mirrored", "backwards", "both"}


def test_every_clip_counts_the_same_however_many_crops_it_has():
    crops = make_crops(1, 9)
    first = crops[0].tobytes()
    windows = [draw_clip(crops, WHOLE, seed=0, step=step, index=0) for step in range(400)]
    share = sum(window.tobytes() == first for window in windows)
    # Four standard deviations around one half.
    assert 160 < share < 240


def test_windows_are_writable_copies(crops):
    window = draw_clip(crops, SMALL, seed=0, step=0, index=0)
    assert window.flags.c_contiguous
    assert window.flags.writeable
    assert not any(np.shares_memory(window, crop) for crop in crops)


@pytest.mark.parametrize("indices", [None, range(2, 4)])
def test_a_feed_gives_what_draw_batch_gives_from_any_step_on(crops, indices):
    with crop_feed(crops, SMALL, seed=2, first_step=5, indices=indices) as batches:
        for step in range(5, 15):
            expected = draw_batch(crops, SMALL, seed=2, step=step, indices=indices or range(6))
            np.testing.assert_array_equal(next(batches), expected)


def test_leaving_a_feed_ends_its_thread(crops):
    before = threading.active_count()
    with crop_feed(crops, SMALL, seed=2) as batches:
        next(batches)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="with"):
        next(batches)
    with pytest.raises(RuntimeError, match="with"):
        next(crop_feed(crops, SMALL, seed=2))


def test_an_error_in_the_thread_reaches_the_consumer_in_its_place(crops, monkeypatch):
    whole = feed.draw_batch

    def failing(*arguments, step, **numbers):
        if step == 4:
            raise OSError("the disk is gone")
        return whole(*arguments, step=step, **numbers)

    monkeypatch.setattr(feed, "draw_batch", failing)
    with crop_feed(crops, SMALL, seed=2, first_step=2) as batches:
        next(batches)
        next(batches)
        with pytest.raises(OSError, match="the disk is gone"):
            next(batches)
        with pytest.raises(RuntimeError, match="after an error"):
            next(batches)


def test_a_feed_makes_ahead_and_counts_only_what_its_consumer_waits(crops, monkeypatch):
    whole, made = feed.draw_batch, []

    def slow(*arguments, **numbers):
        time.sleep(0.4)
        made.append(1)
        return whole(*arguments, **numbers)

    monkeypatch.setattr(feed, "draw_batch", slow)
    with crop_feed(crops, SMALL, seed=2) as batches:
        next(batches)
        assert batches.waited_seconds >= 0.3
        while len(made) < 3:
            time.sleep(0.01)
        waited = batches.waited_seconds
        next(batches)
        # Less than it takes to make one, however busy the machine is.
        assert batches.waited_seconds - waited < 0.3


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"frames": 0}, {"side": 0}])
def test_draws_without_meaning_are_refused(wrong):
    with pytest.raises(OptionError, match=f"{next(iter(wrong))} is 0"):
        Draw(**({"batch": 1, "frames": 1, "side": 1} | wrong))


@pytest.mark.parametrize("draw", [Draw(batch=1, frames=10, side=8), Draw(batch=1, frames=9, side=17)])
def test_windows_larger_than_crops_are_refused(crops, draw):
    with pytest.raises(OptionError, match="9 of 16x16"):
        draw_clip(crops, draw, seed=0, step=0, index=0)
    with pytest.raises(OptionError, match="9 of 16x16"):
        crop_feed(crops, draw, seed=0)


def test_indices_outside_the_batch_are_refused(crops):
    for indices in (range(5, 7), range(-1, 2), range(0)):
        with pytest.raises(OptionError, match="a batch has 6"):
            draw_batch(crops, SMALL, seed=0, step=0, indices=indices)
    with pytest.raises(OptionError, match="step is -1"):
        draw_clip(crops, SMALL, seed=0, step=-1, index=0)


def test_a_share_of_the_windows_is_rendered_and_the_others_are_as_without_them(crops):
    drawn = Draw(batch=40, frames=5, side=8, scenes=0.5)
    plain = draw_batch(crops, SMALL, seed=1, step=2, indices=range(6))
    mixed = draw_batch(crops, drawn, seed=1, step=2, indices=range(40))
    same = [bool((mixed[index] == plain[index]).all()) for index in range(6)]
    assert any(same)
    assert not all(same)
    again = draw_batch(crops, drawn, seed=1, step=2, indices=range(3, 5))
    assert (again == mixed[3:5]).all()
    with pytest.raises(OptionError, match=r"scenes is 1\.5"):
        Draw(batch=1, frames=1, side=1, scenes=1.5)
