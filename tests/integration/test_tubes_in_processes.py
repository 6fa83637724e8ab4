"""An open ``.tube`` file in the processes of a data loader: forked, begun anew, copied, and closed."""

import copy
import pickle  # noqa: TID251  of our own objects

import numpy as np
import pytest
from torch.utils.data import DataLoader

import tubelet
from tubelet.codec import chunking
from tubelet.errors import OptionError

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
"""PyTorch says so where there are fewer cores than workers."""

FRAMES = 60
ORDER = [index * 37 % FRAMES for index in range(FRAMES)]
"""To and fro."""


@pytest.fixture
def tube(small_folder, video_file, tmp_path, monkeypatch):
    monkeypatch.setattr(chunking, "LARGEST_CHUNK", 2)
    path = tmp_path / "a.tube"
    tubelet.encode_file(
        video_file(frames=FRAMES, width=160, height=120), path, tokenizer=small_folder, step=0.25
    )
    with tubelet.open_tube(path, tokenizer=small_folder, channels=3) as opened:
        yield opened


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader_read_the_frames_that_one_process_reads(tube, start):
    expected = [tube[index] for index in ORDER]
    loader = DataLoader(tube, batch_size=None, sampler=ORDER, num_workers=3, multiprocessing_context=start)
    for found, frame in zip(loader, expected, strict=True):
        assert np.array_equal(found, frame)


def test_a_copy_has_opened_the_file_again(tube):
    expected = tube[5]
    for other in (copy.deepcopy(tube), pickle.loads(pickle.dumps(tube))):  # noqa: S301  our own bytes
        with other:
            assert other._reader._file is not tube._reader._file
            assert np.array_equal(other[5], expected)
            assert other.latent().shape[1] == 3
    assert np.array_equal(tube[5], expected)


def test_what_was_closed_says_so(tube):
    tube.__exit__(None, None, None)
    for use in (lambda: tube[0], tube.latent, lambda: tube.timestamps):
        with pytest.raises(OptionError, match="closed; open it again"):
            use()
