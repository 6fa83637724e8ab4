"""Law 10: zero mean, unit variance per channel, the statistics stored in the checkpoint and nowhere else."""

import numpy as np
import pytest
import torch

import tubelet
from tubelet.data.photographs import moving_photographs
from tubelet.testing import LawBrokenError, check_ready_to_use, check_tokenizer
from tubelet.video.pixels import to_model


def test_a_latent_of_unit_scale_comes_out_of_typical_video():
    pytest.importorskip("skimage", reason="scikit-image carries the photographs")
    frames = np.stack(list(moving_photographs(25, height=240, width=320)))
    latent = tubelet.load("klt-4x8x8").encode(to_model(frames))
    # One clip is not the data that the statistics are of; far from them would still be a wrong scale.
    deviation = latent.transpose(0, 1).flatten(1).std(dim=1)
    assert 0.2 < float(deviation.median()) < 5


def test_a_wrong_scale_is_noticed():
    tokenizer = tubelet.load("klt-4x8x8")
    clips = [torch.rand(1, 3, 8, 64, 64) * 2 - 1]
    with pytest.raises(LawBrokenError, match="law 10"):
        check_ready_to_use(tokenizer, clips, within=0.1)


def test_every_law_that_one_process_can_check_holds(tokenizer):
    check_tokenizer(tokenizer, generator=torch.Generator().manual_seed(4), clips=2)
