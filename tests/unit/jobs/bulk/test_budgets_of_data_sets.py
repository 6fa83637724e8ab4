"""Data sets with a budget: what each clip stores, and that it comes back."""

import numpy as np
import pytest
import torch
from bulk_records import records_of

import tubelet
from tubelet.codec.budget import Bitrate, BitsPerPixel, MeanChannels, Quality, TargetPSNR
from tubelet.data.latent_dataset import LatentDataset
from tubelet.data.shards.packed import pack, unpack
from tubelet.data.shards.record import bytes_to_array
from tubelet.errors import DatasetError, OptionError
from tubelet.generate.data_sets import DataSetClips
from tubelet.jobs.bulk.settings import BulkSettings
from tubelet.metrics.psnr import ClipPSNR
from tubelet.video.read import read


def frames_of(path):
    return np.concatenate([run.frames for run in read(path)])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_a_clip_stores_its_largest_coefficients_and_no_more_than_the_budget(
    encode, clips, tmp_path, small_tokenizer, dtype
):
    encode(clips / "5.mkv", dtype=dtype, budget=MeanChannels(channels=2.0))
    (batch,) = LatentDataset(tmp_path / "out")
    counts, latent = batch.arrays["counts"], batch.latent
    assert counts.float().mean() <= 2
    assert counts.min() < counts.max()
    whole = small_tokenizer.encode(tubelet.to_model(frames_of(clips / "5.mkv")))
    stored = torch.arange(whole.shape[1])[:, None, None, None] < counts
    assert latent.shape == whole.shape
    assert not latent[~stored].any()
    near = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.05}[dtype]
    torch.testing.assert_close(latent[stored], whole[stored], atol=near, rtol=0.01)
    (record,) = records_of(tmp_path / "out").values()
    assert bytes_to_array(record.arrays["latent.npy"], "").shape == (int(counts.sum()),)


def test_more_energy_is_stored_than_with_as_many_channels_everywhere(encode, tmp_path, small_tokenizer):
    ramp = np.arange(64, dtype=np.uint8)[None, :, None, None] * 3
    frames = np.broadcast_to(ramp, (9, 64, 64, 3)).copy()
    frames[:, :, :40] = 128  # nothing is to be seen on the left
    np.save(tmp_path / "clip.npy", frames)
    encode(tmp_path / "clip.npy", dtype="float32", budget=MeanChannels(channels=2.0), measure="psnr")
    (batch,) = LatentDataset(tmp_path / "out")
    whole = small_tokenizer.encode(tubelet.to_model(frames))
    (units,) = small_tokenizer.model.pixel_units().values()
    energies = (whole * units[:, None, None, None]).square()
    stored = torch.arange(whole.shape[1])[:, None, None, None] < batch.arrays["counts"]
    assert energies[stored].sum() > 1.1 * energies[:, :2].sum()
    back = small_tokenizer.decode(batch.latent, counts=batch.arrays["counts"], frames=9, height=64, width=64)
    psnr = ClipPSNR()
    psnr.update(frames, tubelet.from_model(back))
    assert batch.facts[0]["psnr_db"] == pytest.approx(psnr.compute(), abs=0.01)


def test_no_position_has_more_channels_than_are_kept(encode, clips, tmp_path):
    encode(clips / "5.mkv", channels=3, budget=MeanChannels(channels=2.0))
    (batch,) = LatentDataset(tmp_path / "out")
    assert batch.latent.shape[1] == 3
    assert batch.arrays["counts"].max() == 3


def test_of_a_distribution_mean_and_log_variance_have_the_same_channels(
    encode, clips, tmp_path, make_tokenizer, make_folder
):
    made = make_tokenizer(name="spread", width=16, encoder_blocks=1, decoder_blocks=1, variational=True)
    encode(clips / "5.mkv", tokenizer=str(make_folder(made)), budget=MeanChannels(channels=2.0))
    (batch,) = LatentDataset(tmp_path / "out")
    assert batch.arrays["log_variance"].shape == batch.latent.shape
    beyond = torch.arange(batch.latent.shape[1])[:, None, None, None] >= batch.arrays["counts"]
    assert not batch.arrays["log_variance"][beyond].any()


@pytest.mark.parametrize(("two_pass", "contrast"), [(False, 0.25), (True, 1.0)])
def test_tube_files_are_those_of_encode_with_the_same_budget(
    encode, clips, tmp_path, small_folder, two_pass, contrast
):
    budget = BitsPerPixel(bits=4.0)
    encode(clips / "5.mkv", format="tube", budget=budget, two_pass=two_pass, contrast=contrast)
    (path,) = (tmp_path / "out" / "shards").rglob("*.tube")
    single = tmp_path / "single.tube"
    settings = {"tokenizer": small_folder, "audio": False, "prior": False, "two_pass": two_pass}
    settings |= {"contrast": contrast}
    tubelet.encode_file(clips / "5.mkv", single, budget=budget, **settings)
    assert path.read_bytes() == single.read_bytes()
    assert path.stat().st_size * 8 <= 4 * 10 * 24 * 40


def test_another_budget_on_an_old_output_is_refused(encode, clips):
    encode(clips, budget=MeanChannels(channels=2.0))
    assert encode(clips, budget=MeanChannels(channels=2.0)).encoded == 0
    with pytest.raises(tubelet.errors.OutputError, match="its budget is"):
        encode(clips, budget=MeanChannels(channels=3.0))
    with pytest.raises(tubelet.errors.OutputError, match="its budget is"):
        encode(clips)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"budget": BitsPerPixel(bits=1.0)}, "holds numbers"),
        ({"budget": Quality(level=20.0), "format": "parquet"}, "holds numbers"),
        ({"budget": TargetPSNR(db=30.0), "format": "tube"}, "several tries"),
        ({"two_pass": True, "format": "tube"}, "no budget"),
        ({"budget": MeanChannels(channels=2.0), "two_pass": True}, "for format tube"),
        ({"contrast": 0.5, "format": "tube"}, "no budget"),
        ({"contrast": 0.5, "budget": MeanChannels(channels=2.0)}, "choose the format tube"),
        ({"contrast": 2.0, "budget": MeanChannels(channels=2.0), "format": "tube"}, "between 0"),
    ],
)
def test_budgets_that_a_format_cannot_keep_are_refused(settings, reason):
    with pytest.raises(OptionError, match=reason):
        BulkSettings(**settings)


@pytest.mark.parametrize("kind", ["webdataset", "tube"])
def test_more_channels_than_there_are_are_refused_before_any_clip(encode, here, clips, kind):
    with pytest.raises(OptionError, match="a position has 12 at most"):
        encode(clips, format=kind, budget=MeanChannels(channels=13.0))
    assert here.encoded == []


def test_another_contrast_on_an_old_output_is_refused(encode, clips):
    encode(clips / "5.mkv", format="tube", budget=MeanChannels(channels=2.0))
    with pytest.raises(tubelet.errors.OutputError, match="its contrast is"):
        encode(clips / "5.mkv", format="tube", budget=MeanChannels(channels=2.0), contrast=0.5)


def test_budgets_of_tokens_and_of_several_parts_are_refused(encode, clips, token_folder):
    for tokenizer, reason in ((str(token_folder), "all their digits"), ("klt-4x8x8-motion", "several")):
        with pytest.raises(OptionError, match=reason):
            encode(clips, tokenizer=tokenizer, budget=MeanChannels(channels=2.0))


def test_a_generator_does_not_train_on_what_has_a_budget(encode, clips, tmp_path):
    encode(clips, budget=MeanChannels(channels=2.0))
    with pytest.raises(OptionError, match="with a budget"):
        DataSetClips(tmp_path / "out")


@pytest.mark.parametrize("budget", [None, MeanChannels(channels=2.0), Bitrate(bits_per_second=1000.0)])
def test_settings_come_back_from_another_process(budget):
    settings = BulkSettings(format="tube", budget=budget)
    assert BulkSettings.from_json(settings.to_json()) == settings


def test_what_is_packed_comes_back_and_what_does_not_belong_together_is_named():
    random = np.random.default_rng(0)
    latent = random.normal(size=(5, 2, 3, 4))
    counts = random.integers(0, 6, (1, 2, 3, 4)).astype(np.uint8)
    packed = pack(latent, counts)
    back = unpack(packed, counts, latent.shape, "there")
    stored = np.arange(5)[:, None, None, None] < counts
    np.testing.assert_array_equal(back, np.where(stored, latent, 0))
    for numbers, of, shape in (
        (packed[1:], counts, latent.shape),
        (packed, counts[:, :1], latent.shape),
        (packed, counts, (3, 2, 3, 4)),
        (packed, counts, (1 << 40, 2, 3, 4)),
        (packed, counts, ()),
        (packed, counts, ("5", 2, 3, 4)),
        (latent, counts, latent.shape),
    ):
        with pytest.raises(DatasetError, match="one number for each"):
            unpack(numbers, of, shape, "there")
