import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import PATIENCE, Ended, refused

import tubelet
from tubelet.cli.parser import COMMANDS
from tubelet.generate.checkpoint import shipped_generators

COMMAND = Path(sys.executable).with_name("tubelet")


@pytest.fixture
def clip(video_file):
    return video_file()


@pytest.fixture
def tube(cli, clip, small_folder, tmp_path):
    assert cli("encode", clip, "-o", tmp_path / "clip.tube", "--tokenizer", small_folder).code == 0
    return tmp_path / "clip.tube"


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# What works


def test_a_clip_goes_to_a_tube_and_back(cli, clip, small_folder, tmp_path):
    tube, back = tmp_path / "a.tube", tmp_path / "back.mkv"
    encoded = cli("encode", clip, "-o", tube, "--tokenizer", small_folder)
    decoded = cli("decode", tube, "-o", back, "--tokenizer", small_folder)
    assert (encoded.code, decoded.code) == (0, 0)
    assert "9 frames of 40x24" in encoded.out
    assert "0 to 8" in decoded.out
    assert sum(len(run.frames) for run in tubelet.read(back)) == 9


def test_reconstruct_writes_beside_its_input(cli, clip, small_folder, tmp_path):
    ended = cli("reconstruct", clip, "--tokenizer", small_folder)
    assert ended.code == 0
    assert "dB PSNR" in ended.out
    assert files(tmp_path) == {"clip.mkv", "clip.tubelet.mp4", "clip.tubelet.tube"}


def test_nothing_is_said_on_stderr_when_all_went_well(cli, clip, small_folder, tmp_path):
    assert not cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder).err


def test_a_path_with_spaces_and_letters_of_all_kinds_works(cli, video_file, small_folder, tmp_path):
    clip = video_file("mein schöner Film 映画.mkv")
    tube, back = tmp_path / "a b ü.tube", tmp_path / "zurück 映画.mp4"
    assert cli("encode", clip, "-o", tube, "--tokenizer", small_folder).code == 0
    assert cli("decode", tube, "-o", back, "--tokenizer", small_folder).code == 0
    assert back.stat().st_size


def test_force_replaces_the_output(cli, clip, tube, small_folder):
    before = tube.read_bytes()
    tube.write_bytes(b"old")
    assert cli("encode", clip, "-o", tube, "--tokenizer", small_folder, "--force").code == 0
    assert tube.read_bytes() == before


def test_a_part_is_decoded(cli, tube, small_folder, tmp_path):
    part = tmp_path / "part.npy"
    arguments = ("--start", "0:00:00.08", "--end", "0.2s", "--tokenizer", small_folder)
    assert cli("decode", tube, "-o", part, *arguments).code == 0
    assert len(np.load(part)) == 3


@pytest.mark.parametrize("command", ["encode", "reconstruct"])
def test_figures_are_written_as_json(cli, clip, small_folder, tmp_path, command):
    output = tmp_path / ("a.tube" if command == "encode" else "a.mkv")
    ended = cli(command, clip, "-o", output, "--tokenizer", small_folder, "--json", tmp_path / "a.json")
    assert ended.code == 0
    content = json.loads((tmp_path / "a.json").read_text())
    figures = content["figures"] if command == "encode" else content["figures"]["tube"]
    assert figures["frames"] == 9
    assert figures["bytes_total"] == (tmp_path / "a.tube").stat().st_size
    assert content["protocol"] == f"tubelet {command}"


def test_info_tells_about_a_video_as_json(cli, clip):
    facts = json.loads(cli("info", clip, "--json").out)
    assert (facts["width"], facts["height"], facts["codec"]) == (40, 24, "ffv1")


def test_info_tells_about_a_tube_as_json(cli, tube):
    facts = json.loads(cli("info", tube, "--json").out)
    assert facts["latent"] == "12x3x3x5"
    assert (facts["frames"], facts["complete"], facts["lead_frame"]) == (9, True, True)


@pytest.mark.parametrize("name", ["clip", "tube"])
def test_info_tells_people_the_same_names_as_programs(cli, name, request):
    path = request.getfixturevalue(name)
    facts = json.loads(cli("info", path, "--json").out)
    assert [line.split()[0] for line in cli("info", path).out.splitlines()] == list(facts)


def test_models_lists_every_shipped_tokenizer_and_generator(cli):
    ended = cli("models")
    assert ended.code == 0
    tables = [table.splitlines()[2:] for table in ended.out.split("\n\n")]
    listed = [[line.split()[0] for line in table] for table in tables]
    assert listed == [tubelet.shipped(), shipped_generators()]


@pytest.mark.parametrize("name", ["", *(command.NAME for command in COMMANDS)])
def test_help_is_documentation(cli, name):
    ended = cli(*([name] if name else []), "--help")
    assert ended.code == 0
    assert "usage: tubelet" in ended.out
    assert not ended.err
    if name in {"reconstruct", "encode", "decode", "fit-klt"}:
        assert f"for example:\n  tubelet {name}" in ended.out


def test_fit_klt_makes_a_tokenizer_that_works(cli, clip, tmp_path, smooth):
    (tmp_path / "clips").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "clips" / "a.npy", noise)
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video")
    made = tmp_path / "klt-mine"
    ended = cli("fit-klt", tmp_path / "clips", "--stride", "1x4x4", "-o", made, "--json", "-")
    assert ended.code == 0
    assert "1 used, 1 could not be read" in ended.err
    figures = json.loads(ended.out)["figures"]
    assert (figures["clips"], figures["unreadable"]) == (1, [str(tmp_path / "clips" / "broken.mp4")])
    assert files(made) == {"card.md", "config.json", "weights.safetensors"}
    assert cli("reconstruct", clip, "-o", tmp_path / "x.mkv", "--tokenizer", made).code == 0


# What is refused


@pytest.mark.parametrize("command", ["encode", "reconstruct", "decode", "info"])
def test_a_wrong_path_is_named(cli, tmp_path, command):
    output = () if command == "info" else ("-o", tmp_path / "out.mkv")
    assert refused(cli(command, tmp_path / "no such film.mp4", *output), 1, "no such film.mp4")
    assert not files(tmp_path)


@pytest.mark.parametrize("command", ["encode", "reconstruct", "info"])
@pytest.mark.parametrize("content", [b"", b"text\n" * 100, bytes(5000)], ids=["empty", "text", "zeros"])
def test_what_is_no_video_is_refused(cli, tmp_path, command, content):
    (tmp_path / "odd.mp4").write_bytes(content)
    output = () if command == "info" else ("-o", tmp_path / "out.mkv")
    assert refused(cli(command, tmp_path / "odd.mp4", *output), 1, "odd.mp4")
    assert files(tmp_path) == {"odd.mp4"}


def test_a_folder_without_clips_is_named(cli, tmp_path):
    assert refused(cli("encode", tmp_path, "-o", tmp_path / "out.tube"), 2, str(tmp_path), "holds no clip")


@pytest.mark.parametrize("command", ["encode", "decode", "reconstruct"])
def test_an_existing_output_is_kept(cli, clip, tube, small_folder, tmp_path, command):
    precious = tmp_path / "precious.mkv"
    precious.write_text("precious")
    source = tube if command == "decode" else clip
    ended = cli(command, source, "-o", precious, "--tokenizer", small_folder)
    assert refused(ended, 1, "precious.mkv exists", "--force")
    assert precious.read_text() == "precious"


def test_an_unknown_tokenizer_is_answered_with_the_known_ones(cli, clip, tmp_path):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", "klt-5x5x5")
    assert refused(ended, 1, "'klt-5x5x5'", "klt-4x8x8", "tubelet models")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("encode",),
        ("encode", "x.mp4"),
        ("frobnicate", "x.mp4"),
        ("encode", "x.mp4", "-o", "x.tube", "--memory", "much"),
        ("encode", "x.mp4", "-o", "x.tube", "--memory", "0"),
        ("encode", "x.mp4", "-o", "x.tube", "--memory", "-5"),
        ("encode", "x.mp4", "-o", "x.tube", "--channels", "few"),
        ("encode", "x.mp4", "-o", "x.tube", "--step", "fine"),
        ("decode", "x.tube", "-o", "x.mp4", "--start", "soon"),
        ("decode", "x.tube", "-o", "x.mp4", "--end", "1:2:3:4"),
        ("decode", "x.tube", "-o", "x.mp4", "--start=-1"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_answered_in_one_line(cli, arguments):
    ended = cli(*arguments)
    assert refused(ended, 2, "--help`")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--channels", "0"), "channels is 0; this tokenizer has 1 to 12"),
        (("--channels", "-3"), "channels is -3"),
        (("--channels", "99"), "channels is 99; this tokenizer has 1 to 12"),
        (("--step", "0"), "step is 0.0; it must be a positive number"),
        (("--step", "-1"), "step is -1.0"),
        (("--step", "nan"), "step is nan"),
        (("--step", "inf"), "step is inf"),
        (("--step", "1e308"), "step is 1e+308"),
        (("--step", "1e-30"), "Choose a step nearer to 1"),
    ],
    ids=str,
)
def test_options_without_meaning_are_bad_usage(cli, clip, small_folder, tmp_path, arguments, message):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder, *arguments)
    assert refused(ended, 2, message)
    assert files(tmp_path) == {"clip.mkv"}


def test_too_little_memory_is_bad_usage(cli, clip, network_folder, tmp_path):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", network_folder, "--memory", "1kB")
    assert refused(ended, 2, "memory is 1000 bytes", "Allow more memory")


@pytest.mark.parametrize("amount", ["9" * 400, "1e3", "1 TB"])
def test_no_amount_of_memory_is_a_crash(cli, clip, small_folder, tmp_path, amount):
    ended = cli("encode", clip, "-o", tmp_path / "a.tube", "--tokenizer", small_folder, "--memory", amount)
    assert ended.code == 0 or refused(ended, 2, "is not an amount of memory")


@pytest.mark.parametrize("moment", ["9" * 400, "9" * 400 + ":00", "9" * 400 + ":00:00", "99:00:00"])
def test_a_moment_past_the_end_is_bad_usage(cli, tube, small_folder, tmp_path, moment):
    ended = cli("decode", tube, "-o", tmp_path / "a.mkv", "--tokenizer", small_folder, "--start", moment)
    assert refused(ended, 2)
    assert not (tmp_path / "a.mkv").exists()


@pytest.mark.parametrize("suffix", ["", ".txt", ".tube", ".gif"])
def test_an_output_of_unknown_kind_is_answered_with_the_known_kinds(
    cli, tube, small_folder, tmp_path, suffix
):
    ended = cli("decode", tube, "-o", tmp_path / f"back{suffix}", "--tokenizer", small_folder)
    assert refused(ended, 2, ".mp4", ".webm", ".npy")


def test_a_video_is_no_tube(cli, clip, tmp_path):
    assert refused(cli("decode", clip, "-o", tmp_path / "a.mp4"), 1, "clip.mkv", ".tube")


def test_a_newer_tube_asks_for_an_upgrade(cli, tube, tmp_path):
    data = bytearray(tube.read_bytes())
    data[8] = 99
    tube.write_bytes(data)
    assert refused(cli("decode", tube, "-o", tmp_path / "a.mp4"), 1, "version 99", "reads up to 3", "Upgrade")


def test_a_tube_whose_tokenizer_is_not_here_asks_for_it(cli, tube, tmp_path):
    assert refused(cli("decode", tube, "-o", tmp_path / "a.mp4"), 1, "'small'", "--tokenizer")


def test_many_frames_are_no_image(cli, tube, small_folder, tmp_path):
    ended = cli("decode", tube, "-o", tmp_path / "a.png", "--tokenizer", small_folder)
    assert refused(ended, 1, "one image")
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere",), 2, "nowhere is not a folder"),
        (("empty",), 2, "empty holds no clip; at least one is needed"),
        (("clips", "--stride", "4x8"), 2, "stride is '4x8'"),
        (("clips", "--stride", "0x8x8"), 2, "stride is '0x8x8'"),
        (("clips", "--stride", "9x99x99"), 2, "one level takes at most"),
        (("clips", "--channels", "0"), 2, "channels is 0"),
        (("clips", "--runs", "0"), 2, "runs is 0"),
        (("clips", "--patches", "-1"), 2, "patches is -1"),
        (("clips", "--seed", "-1"), 2, "seed is -1"),
        (("clips", "--start", "no-such"), 1, "'no-such'"),
        (("clips", "--exclude", "*.npy"), 2, "holds 1 clip, and *.npy leaves nothing; at least one"),
        (("clips",), 2, "at least 768 are needed"),
    ],
    ids=str,
)
def test_a_fit_without_meaning_is_refused(cli, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "clips").mkdir()
    np.save("clips/a.npy", np.zeros((9, 16, 16, 3), np.uint8))
    assert refused(cli("fit-klt", *arguments, "-o", "made"), code, message)
    assert not (tmp_path / "made").exists()


# Damage


@pytest.fixture
def cut(cli, video_file, small_folder, tmp_path, monkeypatch):
    """A tube file whose end is missing."""
    monkeypatch.setattr("tubelet.codec.chunking.LARGEST_CHUNK", 2)
    cli(
        "encode", video_file("long.mkv", frames=30), "-o", tmp_path / "long.tube", "--tokenizer", small_folder
    )
    data = (tmp_path / "long.tube").read_bytes()
    (tmp_path / "cut.tube").write_bytes(data[: len(data) * 3 // 4])
    return tmp_path / "cut.tube"


def test_a_tube_cut_short_is_decoded_with_a_warning_and_exit_code_1(cli, cut, small_folder, tmp_path):
    ended = cli("decode", cut, "-o", tmp_path / "a.npy", "--tokenizer", small_folder)
    assert ended.code == 1
    assert ended.err.startswith("tubelet: warning: ") and "cut short" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert 0 < len(np.load(tmp_path / "a.npy")) < 30


def test_info_about_a_tube_cut_short_says_so(cli, cut):
    ended = cli("info", cut, "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["complete"] is False


def test_a_tube_with_a_flipped_bit_leaves_no_video(cli, tube, small_folder, tmp_path):
    data = bytearray(tube.read_bytes())
    data[len(data) // 2] ^= 1
    tube.write_bytes(data)
    ended = cli("decode", tube, "-o", tmp_path / "a.mkv", "--tokenizer", small_folder)
    assert refused(ended, 1, "clip.tube")
    assert files(tmp_path) == {"clip.mkv", "clip.tube"}


# Processes


def shell(script: str, *arguments: object) -> Ended:
    done = subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def test_the_installed_command_runs(clip):
    ended = shell('"$1" info "$2" --json', COMMAND, clip)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["path"] == str(clip)


def test_the_module_runs_as_the_command_does():
    ended = shell('"$1" -m tubelet --version', sys.executable)
    assert ended == (0, f"tubelet {tubelet.__version__}\n", "")


def test_a_reader_that_goes_away_is_no_traceback(clip):
    assert "Traceback" not in shell('"$1" info "$2" | true', COMMAND, clip).err


@pytest.mark.parametrize("suffix", [".tube", ".mkv"])
def test_a_full_disk_is_named_and_leaves_nothing(small_folder, tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
    source = tmp_path / "noise.npy"
    np.save(source, noise)
    arguments = ["encode", source, "--step", "0.1"]
    if suffix != ".tube":
        tubelet.encode_file(source, tmp_path / "noise.tube", tokenizer=small_folder)
        arguments = ["decode", tmp_path / "noise.tube"]
    before = files(tmp_path)
    # A limit on the size of files is what a process can be given instead of a full disk.
    # Without bytecode: a .pyc that is cut off would break every later process.
    script = 'export PYTHONDONTWRITEBYTECODE=1; ulimit -f 4; exec "$@"'
    output = tmp_path / f"out{suffix}"
    ended = shell(script, COMMAND, *arguments, "-o", output, "--tokenizer", small_folder)
    assert refused(ended, 1, "no room for", f"out{suffix}", "Free space first")
    assert files(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_kill_in_the_middle_leaves_no_file(make_tokenizer, make_folder, tmp_path, number):
    folder = make_folder(make_tokenizer(width=128, encoder_blocks=4))
    source, work = tmp_path / "long.npy", tmp_path / "work"
    work.mkdir()
    # Of holes, and longer than any machine encodes before it is stopped.
    np.lib.format.open_memmap(source, mode="w+", dtype=np.uint8, shape=(200_000, 64, 96, 3))
    arguments = ["encode", source, "-o", work / "long.tube", "--tokenizer", folder]
    with subprocess.Popen(
        [COMMAND, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while not files(work) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        begun = files(work)
        process.send_signal(number)
        try:
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert len(begun) == 1 and begun.pop().endswith(".part.tube")
    assert process.returncode == 130
    assert err == "tubelet: error: interrupted; nothing half-written was kept.\n"
    assert not files(work)
