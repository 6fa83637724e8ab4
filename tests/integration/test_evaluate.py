"""`tubelet evaluate` and `tubelet compare`: folders of tiny clips in, figures out."""

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from second_device import second_device

from tubelet.checkpoint import load
from tubelet.cli import command_compare, command_evaluate
from tubelet.cli.console import guarded
from tubelet.errors import OptionError, OutputError, ShapeError, VideoError
from tubelet.evaluate.compare import compare_files
from tubelet.evaluate.evaluation import Evaluation
from tubelet.evaluate.protocols import find_protocol
from tubelet.evaluate.run import evaluate
from tubelet.evaluate.weights import Weights
from tubelet.evaluate.worker import Worker
from tubelet.jobs.sources import read_sources
from tubelet.metrics.ms_ssim import ClipMSSSIM
from tubelet.metrics.psnr import ClipPSNR
from tubelet.metrics.tof import ClipTOF
from tubelet.perceptual.i3d import BLOCKS, I3D, I3DWidths
from tubelet.video.pixels import from_model, to_model
from tubelet.video.read import read

SHORT = find_protocol("short256x33")


@pytest.fixture
def clips(video_file):
    """A folder of two good clips and a manifest."""
    video_file("a.mkv", frames=6, height=165, width=170)
    folder = video_file("b.mkv", frames=5, height=64, width=56).parent
    (folder / "manifest.csv").write_text("file,motion,kind\na.mkv,low,camera\nb.mkv,high,camera\n")
    return folder


@pytest.fixture
def request_for(clips, small_folder, tmp_path):
    def make(*systems, **more) -> Evaluation:
        usual = {"data": clips, "systems": systems or (f"{small_folder}@4",), "protocol": SHORT, "workers": 1}
        return Evaluation(**(usual | {"folder": tmp_path / "results"} | more))

    return make


@pytest.fixture(scope="module")
def i3d_weights(tmp_path_factory):
    """A file of a very narrow I3D, all of whose weights are drawn."""
    network = I3D(I3DWidths(stem=(2, 2, 2), blocks=dict.fromkeys(BLOCKS, (1, 1, 1, 1, 1, 1)), classes=6))
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: 0.5 + torch.rand(tensor.shape, generator=generator)
        for name, tensor in network.state_dict().items()
    }
    path = tmp_path_factory.mktemp("weights") / "i3d.safetensors"
    save_file(tensors, path)
    return Weights(network="i3d", path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def parse():
    def make(command, *words: object) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return parser.parse_args([str(word) for word in words])

    return make


def figures(path: Path) -> dict:
    return json.loads(path.read_text())["figures"]


def without_times(value):
    """Figures without those that say how long something took, and by how many."""
    if isinstance(value, dict):
        timed = ("seconds_encode", "seconds_decode", "speed", "run")
        return {name: without_times(each) for name, each in value.items() if name not in timed}
    return value


def test_figures_of_short256x33_are_those_of_its_metrics_on_what_comes_back(request_for, small_folder, clips):
    found = figures(evaluate(request_for(f"{small_folder}@4", f"{small_folder}@8")))
    frames = np.concatenate([run.frames.copy() for run in read(clips / "a.mkv", stop=33)])
    tokenizer = load(small_folder)
    latent = tokenizer.encode(to_model(frames))
    for count in (4, 8):
        video = tokenizer.decode(latent[:, :count], frames=6, height=165, width=170)
        for name, metric in (("psnr_db", ClipPSNR()), ("ms_ssim", ClipMSSSIM()), ("tof_px", ClipTOF())):
            metric.update(frames, from_model(video))
            clip = found["systems"][f"{small_folder}@{count}"]["clips"]["a.mkv"]
            assert clip["figures"][name] == pytest.approx(metric.compute(), abs=1e-5), name


def test_twice_gives_the_same_but_for_times(request_for, small_folder, tmp_path):
    systems = (f"{small_folder}@4", f"{small_folder}@4:step=1", "x264:crf=30,preset=ultrafast")
    one, two = (evaluate(request_for(*systems, folder=tmp_path / name)) for name in ("one", "two"))
    assert without_times(figures(one)) == without_times(figures(two))
    assert json.loads(one.read_text())["protocol"] == SHORT.line


def test_processes_change_nothing_but_the_time(request_for, tmp_path):
    alone = evaluate(request_for())
    together = evaluate(request_for(folder=tmp_path / "two", workers=2))
    assert without_times(figures(alone)) == without_times(figures(together))
    assert figures(together)["run"]["workers"] == 2


def test_on_another_device_figures_are_those_of_the_cpu(
    request_for, small_folder, network_folder, token_folder, i3d_weights, video_file, tmp_path
):
    for name in ("c.mkv", "d.mkv"):
        video_file(name, frames=17, height=32, width=48)
    systems = (f"{network_folder}@4", f"{small_folder}@4:step=1", str(token_folder))
    more = {"weights": (i3d_weights,), "latents": True}
    here = evaluate(request_for(*systems, **more))
    with second_device() as device:
        there = evaluate(request_for(*systems, **more, folder=tmp_path / "there", device=str(device)))
    assert without_times(figures(here)) == without_times(figures(there))
    assert figures(there)["run"]["device"] == str(device)
    assert "rfvd_i3d" in figures(there)["systems"][systems[0]]["summary"]["all"]["temporal_consistency"]


def test_a_network_looks_at_a_clip_once_however_many_systems_there_are(
    request_for, small_folder, i3d_weights, clips, video_file, monkeypatch
):
    for name in ("c.mkv", "d.mkv"):
        video_file(name, frames=17, height=32, width=48)
    looked = []
    forward = I3D.forward
    monkeypatch.setattr(I3D, "forward", lambda self, video: looked.append(1) or forward(self, video))
    systems = (f"{small_folder}@4", f"{small_folder}@5", f"{small_folder}@6")
    found = figures(evaluate(request_for(*systems, weights=(i3d_weights,))))
    assert len(looked) == 2 * (1 + 3)
    distances = [
        found["systems"][system]["summary"]["all"]["temporal_consistency"]["rfvd_i3d"]["mean"]
        for system in systems
    ]
    assert len(set(distances)) == 3


def test_an_interrupted_evaluation_goes_on(request_for, small_folder, tmp_path, monkeypatch):
    systems = (f"{small_folder}@4", f"{small_folder}@6")
    done = []
    do = Worker.do

    def counted(self, job):
        do(self, job)
        done.append(job.target)
        if len(done) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Worker, "do", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(request_for(*systems))
    assert not (tmp_path / "results" / "results.json").exists()
    again = figures(evaluate(request_for(*systems)))
    assert len(done) == len(set(done)) == 4
    # And one system more costs only its own clips.
    evaluate(request_for(*systems, f"{small_folder}@8"))
    assert len(done) == 6
    monkeypatch.undo()
    fresh = figures(evaluate(request_for(*systems, folder=tmp_path / "fresh")))
    assert without_times(again) == without_times(fresh)


def test_a_bad_clip_is_named_and_does_not_stop_the_others(request_for, clips, small_folder, capsys):
    (clips / "c.mp4").write_bytes(b"no video at all")
    found = figures(evaluate(request_for()))
    system = found["systems"][f"{small_folder}@4"]
    assert "c.mp4" in system["clips"]["c.mp4"]["error"]
    assert system["summary"]["failed"] == 1
    assert system["summary"]["all"]["clips"] == 2
    assert "error" not in system["clips"]["a.mkv"]


def test_figures_are_split_by_the_tags_of_the_manifest(request_for, small_folder):
    found = figures(evaluate(request_for()))
    assert found["clips"]["a.mkv"]["tags"] == {"motion": "low", "kind": "camera"}
    summary = found["systems"][f"{small_folder}@4"]["summary"]
    single = summary["by_tag"]["motion"]["low"]["detail"]["psnr_db"]
    assert single["mean"] == found["systems"][f"{small_folder}@4"]["clips"]["a.mkv"]["figures"]["psnr_db"]
    assert summary["by_tag"]["kind"]["camera"]["clips"] == 2


def test_what_has_no_weights_is_absent_and_what_has_none_of_its_size_says_so(request_for, small_folder):
    found = figures(evaluate(request_for()))
    assert not {"lpips", "dists", "vmaf"} & set(found["measures"])
    clip = found["systems"][f"{small_folder}@4"]["clips"]["b.mkv"]
    assert "ms_ssim" not in clip["figures"]
    assert "56x64" in clip["absent"]["ms_ssim"]


def test_sets_of_clips_have_a_distance_that_an_interruption_does_not_change(
    request_for, small_folder, video_file, i3d_weights, tmp_path
):
    video_file("c.mkv", frames=17, height=24, width=40)
    video_file("d.mkv", frames=33, height=40, width=24)
    text = f"{small_folder}@4"
    request = request_for(weights=(i3d_weights,))
    path = evaluate(request)
    found = figures(path)
    summary = found["systems"][text]["summary"]
    figure = summary["all"]["temporal_consistency"]["rfvd_i3d"]
    assert (figure["clips"], figure["runs"]) == (2, 3)
    assert figure["mean"] > 0
    assert found["weights"] == {"i3d": i3d_weights.sha256}
    assert "I3D" in found["measures"]["rfvd_i3d"]["says"]
    assert json.loads(path.read_text())["protocol"].startswith(f"{SHORT.line} rfvd_i3d: ")
    clips = found["systems"][text]["clips"]
    assert "no run of 16 frames" in clips["a.mkv"]["absent"]["rfvd_i3d"]
    assert not any("features" in clip or "rfvd_i3d" in clip["figures"] for clip in clips.values())
    next((tmp_path / "results" / "parts").glob("d.mkv*")).unlink()
    assert without_times(figures(evaluate(request))) == without_times(found)


def test_sets_of_too_few_clips_have_none_and_say_why(request_for, small_folder, i3d_weights):
    summary = figures(evaluate(request_for(weights=(i3d_weights,))))["systems"][f"{small_folder}@4"][
        "summary"
    ]
    assert summary["absent"]["rfvd_i3d"].startswith("0 clips with a run of 16 frames")
    assert "rfvd_i3d" not in summary["all"]["temporal_consistency"]


def test_vmaf_is_measured_where_it_is_asked_for(request_for, small_folder):
    found = figures(evaluate(request_for(measures=("vmaf",))))
    clip = found["systems"][f"{small_folder}@4"]["clips"]["a.mkv"]
    assert 0 <= clip["figures"]["vmaf"] <= 100
    assert len(clip["curves"]["vmaf"]) == 6


def test_the_worst_clips_are_kept_without_loss(request_for, small_folder, clips, tmp_path):
    text = f"{small_folder}@4"
    found = figures(evaluate(request_for(keep=1)))
    by_clip = {name: clip["figures"]["psnr_db"] for name, clip in found["systems"][text]["clips"].items()}
    assert list(found["videos"]) == [min(by_clip, key=by_clip.get)]
    assert list(figures(evaluate(request_for(keep=1)))["clips"]) == ["a.mkv", "b.mkv"]
    for name, kept in found["videos"].items():
        paths = [tmp_path / "results" / path for path in (kept["source"], kept["systems"][text])]
        source, back = (np.concatenate([run.frames.copy() for run in read(path)]) for path in paths)
        metric = ClipPSNR()
        metric.update(source, back)
        assert metric.compute() == by_clip[name]


def test_what_is_reconstructed_again_and_again_gets_no_better(request_for, network_folder):
    text = f"{network_folder}@4"
    system = figures(evaluate(request_for(text, drift=True)))["systems"][text]
    values = [system["clips"]["b.mkv"]["drift_psnr_db"][number] for number in ("1", "2", "5", "10")]
    assert values[0] == system["clips"]["b.mkv"]["figures"]["psnr_db"]
    assert values == sorted(values, reverse=True)
    assert set(system["summary"]["all"]["drift_psnr_db"]) == {"1", "2", "5", "10"}


def test_latents_are_described_over_all_clips(request_for, small_folder, token_folder):
    texts = (f"{small_folder}@4", str(token_folder), "x264:crf=40,preset=ultrafast")
    systems = figures(evaluate(request_for(*texts, latents=True)))["systems"]
    latent = systems[texts[0]]["latent"]
    assert len(latent["mean"]) == 4 and set(latent["distance"]) == {"1", "2", "4"}
    positions = 3 * 21 * 22 + 2 * 8 * 7
    assert latent["positions"] == systems[texts[1]]["tokens"]["joint"]["count"] == positions
    assert not {"latent", "tokens"} & set(systems[texts[2]])


def test_two_evaluations_never_share_a_folder(request_for, tmp_path):
    evaluate(request_for())
    with pytest.raises(OutputError, match="never stand"):
        evaluate(request_for(protocol=find_protocol("native-all")))
    evaluate(request_for(protocol=find_protocol("native-all"), force=True))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        evaluate(request_for(folder=tmp_path / "file"))


@pytest.mark.parametrize(
    "wrong", [{"systems": ("x", "x")}, {"workers": 0}, {"keep": -1}, {"measures": ("x",)}]
)
def test_requests_without_meaning_are_refused(request_for, wrong):
    with pytest.raises(OptionError):
        request_for(**wrong)
    with pytest.raises(OptionError, match="lpips"):
        Weights(network="psnr_db", path=Path("x"), sha256="")


def test_figures_of_an_older_version_of_the_protocol_never_stand_beside_new_ones(request_for, small_folder):
    evaluate(request_for(protocol=replace(SHORT, version=SHORT.version - 1)))
    with pytest.raises(OutputError, match=f"short256x33 v{SHORT.version - 1}; those of .* v{SHORT.version}"):
        evaluate(request_for("x264:crf=30,preset=ultrafast"))
    found = figures(evaluate(request_for("x264:crf=30,preset=ultrafast", force=True)))
    assert found["systems"]["x264:crf=30,preset=ultrafast"]["facts"]["chroma_place"] == "left"
    assert list(found["systems"]) == ["x264:crf=30,preset=ultrafast"]


def test_the_command_prints_the_protocol_and_a_table(parse, clips, small_folder, tmp_path, capsys):
    arguments = ("--with", f"{small_folder}@4", "x264:crf=30", "-o", tmp_path / "results", "--workers", 1)
    assert guarded(lambda: command_evaluate.run(parse(command_evaluate, clips, *arguments))) == 0
    shown = capsys.readouterr().out
    for text in (
        "short256x33 v2: the first 33 frames",
        "2 clips",
        "bits/px",
        "motion low",
        "results.json",
        "±",
    ):
        assert text in shown, shown
    lines = [line for line in shown.splitlines() if line.startswith("x264:crf=30")]
    assert len(lines) == 4


def test_the_command_says_what_a_mean_leaves_out(parse, clips, small_folder, tmp_path, capsys):
    np.save(clips / "black.npy", np.zeros((5, 64, 64, 3), np.uint8))
    (clips / "c.mp4").write_bytes(b"no video at all")
    _write_deep(clips / "deep.mkv")
    arguments = ("--with", f"{small_folder}@4", "x264:crf=30", "-o", tmp_path / "results", "--workers", 1)
    assert guarded(lambda: command_evaluate.run(parse(command_evaluate, clips, *arguments))) == 1
    shown, said = capsys.readouterr()
    assert "1 of 5 clips failed, and the figures are without them: c.mp4" in said
    lost = f"1 of 5 clips lose something as they are read; the first, {clips / 'deep.mkv'}: it has 16 bits"
    assert said.count("16 bits") == 1 and lost in said
    assert shown.count("no figures of c.mp4: VideoError") == 1
    assert "x264:crf=30 has no error in PSNR dB, motion dB on 1 of 4 clips; the mean" in shown
    assert "∞" not in shown


def _write_deep(path):
    """Two pictures of 16 bits."""
    pictures = np.random.default_rng(0).integers(0, 1 << 16, (2, 64, 64), dtype=np.uint16)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "gray16le"
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray16le")))
        output.mux(stream.encode(None))


def test_the_command_says_that_a_set_is_small(parse, video_file, small_folder, i3d_weights, tmp_path, capsys):
    folder = video_file("c.mkv", frames=16, height=24, width=40).parent
    video_file("d.mkv", frames=16, height=40, width=24)
    weights = f"i3d={i3d_weights.path}:{i3d_weights.sha256}"
    arguments = ("--with", f"{small_folder}@4", "--weights", weights, "-o", tmp_path / "r", "--workers", 1)
    assert guarded(lambda: command_evaluate.run(parse(command_evaluate, folder, *arguments))) == 0
    shown = capsys.readouterr().out
    assert "rFVD I3D" in shown
    assert "rfvd_i3d is of 2 runs of 16 frames from 2 clips; below 2048 it is not an FVD" in shown


def test_two_videos_are_compared(parse, video_file, tmp_path, capsys):
    one = video_file("one.mkv", frames=4, height=64, width=64)
    two = video_file("two.mp4", frames=4, height=64, width=64)
    report = tmp_path / "report.json"
    assert guarded(lambda: command_compare.run(parse(command_compare, one, two, "-o", report))) == 0
    shown = capsys.readouterr().out
    assert "4 frames of 64x64" in shown and "psnr_db" in shown and "ms_ssim is absent: " in shown
    found = figures(report)
    assert found["figures"]["psnr_db"] > 30
    assert len(found["curves"]["frame_psnr_db"]) == 4
    assert guarded(lambda: command_compare.run(parse(command_compare, one, two, "-o", report))) == 1
    assert "--force" in capsys.readouterr().err


def test_videos_that_do_not_fit_are_refused_with_the_cure(video_file):
    one = video_file("one.mkv", frames=20, height=16, width=16)
    with pytest.raises(ShapeError, match="--frames 18"):
        compare_files(one, video_file("short.mkv", frames=18, height=16, width=16), measures=("psnr_db",))
    with pytest.raises(ShapeError, match="scale=16:16"):
        compare_files(one, video_file("large.mkv", frames=20, height=16, width=18), measures=("psnr_db",))
    found = compare_files(one, one, frames=18, measures=("psnr_db",))
    assert (found.frames, found.measured.figures["psnr_db"]) == (18, float("inf"))


def test_a_list_of_clips_and_ranges_is_evaluated(request_for, clips):
    (clips / "list.csv").write_text("path,start,end\na.mkv,,0.1\na.mkv,0.1,\nb.mkv,,\nno.mkv,,\n")
    rows = tuple(read_sources([str(clips / "list.csv")]))
    results = figures(evaluate(request_for(data=clips / "list.csv", rows=rows)))
    assert results["data"] == "list.csv"
    assert list(results["clips"]) == ["a.mkv#t=0,0.1", "a.mkv#t=0.1", "b.mkv", "no.mkv"]
    (system,) = results["systems"].values()
    assert "no such file" in system["clips"]["no.mkv"]["error"]
    lengths = [results["clips"][name]["frames"] for name in list(results["clips"])[:3]]
    assert lengths[0] + lengths[1] == 6 and lengths[2] == 5


def test_the_first_bad_clip_ends_an_evaluation_if_that_is_asked_for(request_for, clips, tmp_path):
    (clips / "a2.mkv").write_bytes(b"junk")
    with pytest.raises(VideoError, match=r"a2\.mkv with .*cannot be read"):
        evaluate(request_for(on_error="stop"))
    assert len(list((tmp_path / "results" / "parts").iterdir())) == 2


def test_clips_of_one_name_are_refused(request_for, clips):
    rows = tuple(read_sources([str(clips / "a.mkv"), str(clips / "b.mkv")]))
    twice = tuple(row._replace(name="same") for row in rows)
    with pytest.raises(OptionError, match="2 clips are called same"):
        evaluate(request_for(rows=twice))
