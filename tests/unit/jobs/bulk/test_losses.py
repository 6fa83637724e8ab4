"""What sources held and a data set does not is told once for all clips, and stays with the data set."""

import av
import pytest
from bulk_records import records_of

from tubelet.data.shards.index import Entry
from tubelet.data.shards.losses import Loss, summed
from tubelet.data.shards.merge import merge_datasets
from tubelet.data.shards.summary import summarise

TEN_BITS = "it has 10 bits per sample, of which 8 are kept"


@pytest.fixture
def mixed(video_file, tmp_path):
    """Two clips of 10 bits, and one of 8."""
    (tmp_path / "clips").mkdir()
    video_file("clips/plain.mkv")
    for name in ("b", "a"):
        with av.open(str(tmp_path / "clips" / f"{name}.mkv"), "w") as output:
            stream = output.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 40, 24, "yuv420p10le"
            for _ in range(9):
                output.mux(stream.encode(av.VideoFrame(40, 24, "yuv420p10le")))
            output.mux(stream.encode(None))
    return tmp_path / "clips"


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"format": "tube"}, {"format": "parquet"}])
def test_losses_are_summed_up_over_all_clips_and_stay_with_the_data_set(encode, mixed, tmp_path, options):
    expected = [Loss(text=TEN_BITS, clips=2, first="clips/a.mkv")]
    report = encode(mixed, **options)
    assert (report.encoded, report.failed) == (3, 0)
    assert report.losses == expected
    held = {each.facts["source"]: each.facts.get("losses") for each in records_of(tmp_path / "out").values()}
    assert held == {"clips/a.mkv": [TEN_BITS], "clips/b.mkv": [TEN_BITS], "clips/plain.mkv": None}
    # A run that finds all done knows them, and so does who has the data set alone.
    assert encode(mixed, **options).losses == expected
    merge_datasets([tmp_path / "out"], tmp_path / "merged")
    for name in ("out", "merged"):
        assert summarise(tmp_path / name)["losses"] == [
            {"text": TEN_BITS, "clips": 2, "first": "clips/a.mkv"}
        ]


def test_losses_that_differ_in_numbers_alone_are_one_kind():
    def entry(source: str, *losses: str) -> Entry:
        return Entry(key="", row="", source=source, source_sha256="", shapes={}, place={}, losses=losses)

    clips = [
        entry("b", "it is HDR", "3 times repaired"),
        entry("c", "12 times repaired"),
        entry("a", "7 times repaired"),
    ]
    assert summed(clips) == [
        Loss(text="7 times repaired", clips=3, first="a"),
        Loss(text="it is HDR", clips=1, first="b"),
    ]
