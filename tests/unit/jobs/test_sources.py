"""What there is to encode: sources as rows, captions, and the plan that depends on content alone."""

import io
import json
import random

import pyarrow
import pytest
from pyarrow import parquet

from tubelet.codec.tokens.clip import check_caption
from tubelet.errors import OptionError, VideoError
from tubelet.jobs.bulk.plan import plan_clips
from tubelet.jobs.captions import with_captions
from tubelet.jobs.rows import Row
from tubelet.jobs.sources import local_copies, read_sources


@pytest.fixture
def folder(tmp_path):
    """A folder of four files that are called like videos, and one that is not."""
    for name in ("b.mp4", "a.mkv", "deep/c.webm", "notes.txt", ".hidden.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "clips"


def test_a_folder_is_searched_and_names_begin_with_its_own(folder):
    rows = read_sources([str(folder)])
    assert [row.name for row in rows] == ["clips/a.mkv", "clips/b.mp4", "clips/deep/c.webm"]
    assert [row.path for row in rows] == [str(folder / name) for name in ("a.mkv", "b.mp4", "deep/c.webm")]


def test_names_do_not_depend_on_where_a_folder_lies_or_how_it_is_written(folder, monkeypatch):
    names = {row.name for row in read_sources([str(folder)])}
    monkeypatch.chdir(folder.parent)
    assert {row.name for row in read_sources(["clips/"])} == names
    monkeypatch.chdir(folder)
    assert {row.name for row in read_sources(["."])} == names


def test_patterns_and_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [row.name for row in read_sources(["**/*.[mw]*", "./b.mp4"])] == [
        "a.mkv",
        "b.mp4",
        "deep/c.webm",
        "b.mp4",
    ]


ROWS = [
    {"path": "a.mp4", "start": 1.5, "end": 3.0, "caption": 'a cat, "asleep"\nand happy'},
    {"path": "b c.mp4", "start": None, "end": None, "caption": None},
]


def test_lists_of_every_kind_say_the_same(tmp_path):
    wanted = [
        Row("a.mp4", str(tmp_path / "a.mp4"), 1.5, 3.0, ROWS[0]["caption"], "a.mp4"),
        Row("b c.mp4", str(tmp_path / "b c.mp4"), below="b c.mp4"),
    ]
    (tmp_path / "list.csv").write_text(
        'caption,path,start,end,more\n"a cat, ""asleep""\nand happy",a.mp4,1.5,3,1\n,b c.mp4,,,\n'
    )
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in ROWS))
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "list.parquet")
    for kind in ("csv", "jsonl", "parquet"):
        assert read_sources([str(tmp_path / f"list.{kind}")]) == wanted, kind


def test_lines_are_paths_or_objects():
    lines = io.StringIO('one.mp4\n\n{"path": "two.mp4", "end": 2}\r\n/three.mp4\n')
    assert read_sources(["-"], lines=lines) == [
        Row("one.mp4", "one.mp4", below="one.mp4"),
        Row("two.mp4", "two.mp4", None, 2.0, below="two.mp4"),
        Row("/three.mp4", "/three.mp4", below="three.mp4"),
    ]


def test_a_path_in_braces_is_a_path(tmp_path):
    names = ["{0}.mp4", "{a} b.mp4", " {}.mp4", "{a}:.mp4"]
    (tmp_path / "list.txt").write_text("\n".join(names))
    assert [row.name for row in read_sources([str(tmp_path / "list.txt")])] == names


def test_a_line_of_a_list_of_objects_that_is_none_is_no_path(tmp_path):
    listed = tmp_path / "list.jsonl"
    listed.write_text('{"path": "a.mp4"}\n["b.mp4"]\n"c.mp4"\n\nd.mp4\n')
    faults = [row.fault for row in read_sources([str(listed)])]
    assert faults[0] is None
    assert faults[1:3] == [
        f'{listed}, line {line} is {text}; it is an object, such as {{"path": "a.mp4"}}.'
        for line, text in ((2, '["b.mp4"]'), (3, '"c.mp4"'))
    ]
    assert faults[3] is not None and f"{listed}, line 5 is not JSON" in faults[3]


def test_a_caption_of_blanks_says_nothing(tmp_path):
    (tmp_path / "list.csv").write_text("path,caption,description\na.mp4,  ,a cat\nb.mp4, , \n")
    assert [row.caption for row in read_sources([str(tmp_path / "list.csv")])] == ["a cat", None]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"path": ""}', "names no path"),
        ('{"start": 1}', "names no path"),
        ('{"path": "a", "start": -1}', "start is -1"),
        ('{"path": "a", "start": "x"}', "start is 'x'"),
        ('{"path": "a", "start": true}', "start is True"),
        ('{"path": "a", "start": 2, "end": 2}', "ends after it begins"),
        ('{"path": "a", "end": 0}', "ends after it begins"),
        ('{"path": "a", "caption": 3}', "caption is 3"),
        ('{"path": "a", "description": [1]}', r"description is \[1\]"),
        ('{"path": ', "not JSON"),
        ("{'path': 'a'}", "not JSON"),
        ('{path: "a"}', "not JSON"),
        ("{", "not JSON"),
    ],
)
def test_a_row_that_means_nothing_is_named_with_its_line_and_costs_the_others_nothing(line, said):
    first, bad, last = read_sources(["-"], lines=["first.mp4", line, "last.mp4"])
    assert (first.path, first.fault, last.path, last.fault) == ("first.mp4", None, "last.mp4", None)
    assert bad.shown == "standard input, line 2"
    with (
        pytest.raises(VideoError, match=f"standard input, line 2.*{said}"),
        local_copies([first, bad]) as here,
    ):
        here.opened(bad.video).__enter__()
    with pytest.raises(OptionError, match=said):  # there is nothing else in the list
        read_sources(["-"], lines=[line, line])


def test_rows_of_a_table_with_long_texts_and_commas_too_many(tmp_path):
    listed = tmp_path / "list.csv"
    long = "x" * 200_000
    listed.write_text(f'path,caption\na.mp4,"two\nlines"\nb.mp4,a cat, asleep\nc.mp4,{long},\nd.mp4\n')
    a, b, c, d = read_sources([str(listed)])
    assert (a.caption, c.caption, d.caption) == ("two\nlines", long, None)
    assert b.shown == f"{listed}, line 4"
    assert b.fault is not None
    assert "1 fields more" in b.fault and "in quotes" in b.fault


@pytest.mark.parametrize(
    ("head", "row", "columns"),
    [
        ("name", "a.mp4", "'name'"),
        ("Path;start", "a.mp4;2", "'Path;start'"),
        ("start,end", "1,2", "'start, end'"),
    ],
)
def test_a_table_without_a_path_is_refused_by_its_columns(tmp_path, head, row, columns):
    listed = tmp_path / "list.csv"
    listed.write_text(f"{head}\n{row}\n")
    said = f"line 2 names no path: its columns are {columns}; lists have a column path, and CSV commas"
    with pytest.raises(OptionError, match=said):
        read_sources([str(listed)])


def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text('path,caption\na.mp4,fine\nb.mp4,"a cat\nc.mp4,a dog\n')
    with pytest.raises(OptionError, match="the row that begins in line 3 is not closed"):
        read_sources([str(listed)])


def test_a_file_that_is_missing_is_a_clip_that_fails_where_that_is_asked_for(tmp_path):
    (row,) = read_sources([str(tmp_path / "no.mp4")], missing_fail=True)
    assert row.path == str(tmp_path / "no.mp4")
    for other in ("*.mp4", "no folder"):
        with pytest.raises(OptionError, match="is not there"):
            read_sources([str(tmp_path / other)], missing_fail=True)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError, match="is not there"):
        read_sources([str(tmp_path / "no.mp4")])
    with pytest.raises(OptionError, match="is not there"):
        read_sources([str(tmp_path / "*.mp4")])
    with pytest.raises(OptionError, match="no clip"):
        read_sources(["-"], lines=[])


def test_captions_from_a_table_and_from_beside(folder, tmp_path):
    rows = read_sources([str(folder)])
    table = tmp_path / "captions.csv"
    table.write_text("path,caption\nclips/a.mkv,by path\nc.webm,by name\n")
    found = {row.name: row.caption for row in with_captions(rows, str(table))}
    assert found == {"clips/a.mkv": "by path", "clips/b.mp4": None, "clips/deep/c.webm": "by name"}
    (folder / "b.txt").write_text("beside\n")
    found = {row.name: row.caption for row in with_captions(rows, "sidecar")}
    assert found == {"clips/a.mkv": None, "clips/b.mp4": "beside", "clips/deep/c.webm": None}
    table.write_text("path,caption\nelse.mp4,nobody\n")
    with pytest.raises(OptionError, match=r"no row of \S+captions.csv has a caption for any of the 3 clips"):
        with_captions(rows, str(table))
    with pytest.raises(OptionError, match="the word sidecar"):
        with_captions(rows, "notes")


def test_a_caption_beside_may_begin_with_the_mark_of_an_editor(folder):
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfa cat\r\n")
    found = {row.name: row.caption for row in with_captions(read_sources([str(folder)]), "sidecar")}
    assert found["clips/b.mp4"] == "a cat"


def test_a_caption_that_no_file_holds_is_no_matter_of_the_other_clips(folder):
    for name, content in (("a", 100_000 * b"a"), ("b", "Caf\xe9".encode("latin-1"))):
        (folder / f"{name}.txt").write_bytes(content)
    listed = '{"path": "a", "caption": "\\ud800"}'
    found = [row.caption for row in with_captions(read_sources([str(folder)]), "sidecar")]
    found += [row.caption for row in read_sources(["-"], lines=[listed])]
    for caption, said in zip(
        found, ("over 65536", "half a character", None, "half a character"), strict=True
    ):
        if said is not None:
            with pytest.raises(OptionError, match=said):
                check_caption(caption)


def test_a_caption_beside_that_cannot_be_read_is_no_matter_of_the_other_clips(folder):
    (folder / "a.txt").mkdir()
    (folder / "b.txt").write_text("a cat")
    rows = with_captions(read_sources([str(folder)]), "sidecar")
    found = {row.name: (row.caption, row.fault) for row in rows}
    fault = f"the caption {folder / 'a.txt'} cannot be read (Is a directory). Make it readable."
    assert found == {
        "clips/a.mkv": (None, fault),
        "clips/b.mp4": ("a cat", None),
        "clips/deep/c.webm": (None, None),
    }


def test_captions_beside_no_clip_are_refused(folder):
    with pytest.raises(OptionError, match="no file beside a clip has a caption for any of the 3 clips"):
        with_captions(read_sources([str(folder)]), "sidecar")


def rows(count: int) -> list[Row]:
    return [Row(f"{number}.mp4", f"/there/{number}.mp4") for number in range(count)]


def test_descriptions_of_a_manifest_are_captions(folder, tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "file,motion,description,caption\na.mkv,low,a cat,\nb.mp4,high,,\nc.webm,low,x,a dog\n"
    )
    assert [row.caption for row in read_sources([str(manifest)])] == ["a cat", None, "a dog"]
    found = {row.name: row.caption for row in with_captions(read_sources([str(folder)]), str(manifest))}
    assert found["clips/a.mkv"] == "a cat"


def test_columns_are_found_by_the_names_that_other_data_sets_have(tmp_path):
    listed = tmp_path / "metadata.jsonl"
    listed.write_text(
        '{"file_name": "a.mp4", "text": "a cat"}\n{"path": "b.mp4", "prompt": "a dog", "text": ""}\n'
    )
    rows = read_sources([str(listed)])
    assert [(row.name, row.caption) for row in rows] == [("a.mp4", "a cat"), ("b.mp4", "a dog")]


def test_two_columns_of_one_name_are_refused(tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("path,caption,path,,\na.mp4,x,b.mp4,,\n")
    with pytest.raises(OptionError, match="two columns are called 'path'; rename one"):
        read_sources([str(listed)])


@pytest.mark.parametrize("name", ["clips.json", "clips.tsv", "clips.xlsx"])
def test_a_list_of_another_kind_is_no_video(tmp_path, name):
    (tmp_path / name).write_text('[{"path": "a.mp4"}]')
    with pytest.raises(OptionError, match=r"is no video, and lists end in \.csv, \.jsonl"):
        read_sources([str(tmp_path / name)])


def test_the_plan_does_not_depend_on_the_order_of_a_list():
    ordered = rows(200)
    shuffled = random.Random(0).sample(ordered, len(ordered))
    assert plan_clips(shuffled, mirror=False) == plan_clips(ordered, mirror=False)
    assert plan_clips([*ordered, *shuffled[:9]], mirror=False) == plan_clips(ordered, mirror=False)


def test_everything_that_names_a_clip_has_a_key_of_its_own():
    row = Row("a.mp4", "a.mp4")
    others = [row, row._replace(start=1.0), row._replace(end=1.0), Row("b.mp4", "a.mp4")]
    keys = {clip.key for clip in plan_clips(others, mirror=True)}
    assert len(keys) == 8
    (plain,) = plan_clips([row], mirror=False)
    (said,) = plan_clips([row._replace(caption="a cat")], mirror=False)
    assert plain.key == said.key
    assert plain.row != said.row


def test_one_name_for_two_files_is_refused():
    with pytest.raises(OptionError, match="both called a"):
        plan_clips([Row("a", "/one/a"), Row("a", "/two/a")], mirror=False)
    with pytest.raises(OptionError, match="listed twice"):
        plan_clips([Row("a", "a", caption="x"), Row("a", "a", caption="y")], mirror=False)
