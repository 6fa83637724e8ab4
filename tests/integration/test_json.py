"""What a command found out is there for programs too."""

import argparse
import json

from tubelet.cli.parser import COMMANDS

WRITE_JSON = {"bench", "compare", "evaluate", "evaluate-generation"}
"""Their output is a file of figures, or a folder with one."""

MAKE_THINGS = {"demo", "export-checkpoint", "report", "scenes", "train"}
"""They make a file or a folder, and say where; `tubelet info` says as JSON what it is."""

NO_RESULT = {"completion", "serve"}


def has_json(command):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return "--json" in parser.format_help()


def test_every_command_with_a_result_gives_it_as_json():
    with_json = {command.NAME for command in COMMANDS if has_json(command)}
    others = {command.NAME for command in COMMANDS} - with_json
    assert others == WRITE_JSON | MAKE_THINGS | NO_RESULT


def test_decoding_says_as_json_what_was_written(cli, video_file, small_folder, tmp_path):
    clip = video_file()
    tube, target = tmp_path / "a.tube", tmp_path / "a.npy"
    assert cli("encode", clip, "-o", tube, "--tokenizer", small_folder).code == 0
    ended = cli("decode", tube, "-o", target, "--tokenizer", small_folder, "--end", "0.1", "--json", "-")
    figures = json.loads(ended.out)["figures"]
    assert (figures["file"], figures["first_frame"]) == (str(target), 0)
    assert figures["frames"] > 0 and "frames" in ended.err
    kept = cli("decode", tube, "-o", tmp_path / "b.npy", "--tokenizer", small_folder, "--json", tube)
    assert (kept.code, (tmp_path / "b.npy").exists()) == (2, False)
