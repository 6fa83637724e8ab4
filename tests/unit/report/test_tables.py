"""Tables: texts are escaped, the best is marked the right way round, what is absent stays absent."""

import re

import pytest

from tubelet.errors import OptionError, OutputError
from tubelet.report.columns import Part, cells, find_column
from tubelet.report.columns import best as best_of
from tubelet.report.markup import (
    Cell,
    Head,
    Row,
    Table,
    latex_table,
    latex_text,
    markdown_code,
    markdown_table,
    markdown_text,
)
from tubelet.report.tables import all_tables, families, result_table, tag_table, write_tables

NASTY = r"a_b|c*d`e\f<g>#h&i%j$k{l}m~n^o"


RATE = {"numbers_per_pixel": 0.5}


def one_measure(make_results, name: str, values: list[float | None], **kept):
    """Systems of one rate that differ in one figure; none is absent."""
    return make_results(
        {
            f"m@{place}": {"a": {"psnr_db": 30.0, **RATE} | ({} if value is None else {name: value})}
            for place, value in enumerate(values)
        },
        **kept,
    )


def best(make_results, name: str, values: list[float | None]) -> list[int]:
    results = one_measure(make_results, name, values)
    found = cells(results, list(results.figures["systems"]), find_column(name))
    return [place for place, cell in enumerate(found) if cell.best]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("ssim", [0.5, 0.9, 0.7], [1]),  # more is better
        ("tof_px", [0.5, 0.9, 0.2], [2]),  # less
        ("flicker_levels", [-0.3, 0.2, 0.9], [1]),  # nearer to 0
        ("flicker_levels", [-0.2, 0.2, 0.9], [0, 1]),
        ("ssim", [0.90001, 0.9, 0.7], [0, 1]),  # the same, as it is shown
        ("ssim", [None, 0.9, 0.7], [1]),
        ("ssim", [None, 0.9, None], []),  # nobody to be better than
        ("ssim", [0.9, 0.9], []),
        ("tof_px", [float("inf"), 0.2], [1]),
        ("ssim", [float("inf"), 0.2], [0]),
    ],
)
def test_the_best_is_marked_and_what_looks_the_same_is_as_good(make_results, name, values, expected):
    assert best(make_results, name, values) == expected


def test_a_mean_over_fewer_clips_says_so_and_is_never_the_best(make_results):
    systems = {
        "m@1": {"a": {"psnr_db": 40.0, **RATE}, "b": "no memory"},
        "m@2": {"a": {"psnr_db": 30.0, **RATE}, "b": {"psnr_db": 20.0, **RATE}},
        "m@3": {"a": {"psnr_db": 31.0, **RATE}, "b": {"psnr_db": 20.0, **RATE}},
    }
    found = cells(make_results(systems), list(systems), find_column("psnr_db"))
    assert [cell.best for cell in found] == [False, False, True]
    assert [cell.note for cell in found] == ["of 1", "", ""]


def test_a_mean_without_the_clips_that_have_no_error_says_so(make_results):
    exact = {"a": {"psnr_db": float("inf")}, "b": {"psnr_db": 20.0}}
    systems = {"m@1": exact, "m@2": {"a": {"psnr_db": 30.0}, "b": {"psnr_db": 18.0}}}
    found = cells(make_results(systems), list(systems), find_column("psnr_db"))
    assert [(cell.text, cell.note, cell.best) for cell in found] == [
        ("20.00", "of 1, 1 exact", False),
        ("24.00", "", False),
    ]
    (alone,) = cells(make_results({"m@1": exact}), ["m@1"], find_column("psnr_db"))
    assert alone.note == "1 exact"


def rated(systems: dict[str, tuple[float | None, float]]) -> dict:
    """Systems by their rate, in bits or numbers as fits them, and their PSNR."""
    return {
        name: {
            "a": {"psnr_db": quality}
            | ({} if rate is None else {f"{'bits' if ':' in name else 'numbers'}_per_pixel": rate})
        }
        for name, (rate, quality) in systems.items()
    }


@pytest.mark.parametrize(
    ("systems", "expected"),
    [
        ({"m@4": (0.1, 30.0), "m@8": (0.2, 40.0)}, set()),  # more of both
        ({"m@4": (0.1, 30.0), "n@4": (0.1, 31.0), "m@8": (0.2, 40.0)}, {"n@4"}),
        ({"m@4": (0.1, 30.0), "n@4": (0.1, 31.0), "m@8": (0.2, 40.0), "n@8": (0.2, 39.0)}, {"n@4", "m@8"}),
        ({"m@4": (0.10001, 30.0), "n@4": (0.10002, 31.0)}, {"n@4"}),  # 0.1000, both
        ({"m@4": (0.1, 30.0), "n@4": (0.1003, 31.0)}, set()),
        ({"m@4": (0.1, 30.0), "x264:crf=20": (0.1, 31.0)}, set()),  # numbers are not bits
        ({"x264:crf=20": (0.1, 30.0), "x265:crf=20": (0.1, 31.0)}, {"x265:crf=20"}),
        ({"m@4": (None, 30.0), "n@4": (None, 31.0)}, set()),  # nobody knows
    ],
)
def test_the_best_is_among_systems_of_the_same_rate_alone(make_results, systems, expected):
    results = make_results(rated(systems))
    column = find_column("psnr_db")
    assert best_of(results, column) == expected
    marked = {row.name for table in all_tables(results) for row in table.rows if row.cells[0].best}
    assert marked == expected


def test_what_is_marked_does_not_depend_on_the_table(make_results):
    results = make_results(rated({"m@4": (0.1, 30.0), "n@4": (0.1, 31.0), "o@4": (0.1, 32.0)}))
    found = cells(results, ["m@4", "n@4"], find_column("psnr_db"))
    assert not any(cell.best for cell in found)


def test_of_clips_that_share_a_tag_the_rate_of_these_clips_counts(make_results):
    systems = {
        "m@4:step=1": {
            "a": {"psnr_db": 30.0, "bits_per_pixel": 0.1},
            "b": {"psnr_db": 30.0, "bits_per_pixel": 0.3},
        },
        "n@4:step=1": {
            "a": {"psnr_db": 31.0, "bits_per_pixel": 0.1},
            "b": {"psnr_db": 31.0, "bits_per_pixel": 0.2},
        },
    }
    results = make_results(systems, tags={"a": {"motion": "low"}, "b": {"motion": "high"}})
    column = find_column("psnr_db")
    assert best_of(results, column) == set()
    assert best_of(results, column, Part("motion", "low")) == {"n@4:step=1"}
    assert best_of(results, column, Part("motion", "high")) == set()


def test_a_rate_has_no_best(make_results):
    results = make_results({f"m@{k}": {"a": {"psnr_db": 30.0, "numbers_per_pixel": k / 8}} for k in (1, 2)})
    assert not any(cell.best for cell in cells(results, ["m@1", "m@2"], find_column("numbers_per_pixel")))


def test_absent_is_a_dash_and_infinite_a_sign(make_results):
    results = one_measure(make_results, "ssim", [None, float("inf"), 0.25])
    found = cells(results, list(results.figures["systems"]), find_column("ssim"))
    assert [cell.text for cell in found] == ["-", "∞", "0.2500"]


def test_half_the_interval_is_shown_with_the_digits_of_the_mean(make_results):
    results = make_results({"m@1": {"a": {"psnr_db": 20.0}, "b": {"psnr_db": 30.0}}})
    (cell,) = cells(results, ["m@1"], find_column("psnr_db"))
    assert cell == Cell("25.00", "5.00")


def test_a_figure_and_its_interval_change_their_unit_together(make_results):
    results = make_results({"m@1": {"a": {"warping_error": 0.001}, "b": {"warping_error": 0.003}}})
    (cell,) = cells(results, ["m@1"], find_column("warping_error"))
    assert cell == Cell("20.00", "10.00")


def test_a_column_nobody_has_a_figure_for_is_left_out(make_results):
    results = make_results({"m@1": {"a": {"psnr_db": 30.0, "tof_px": 1.0}}})
    heads = [head.text for head in result_table(results, ["m@1"], title="t").heads]
    assert heads == ["PSNR dB ↑", "pooled dB ↑", "tOF px ↓"]


def test_latents_and_files_never_share_a_table(make_results):
    texts = ["m@4", "m@4:step=1", "fsq", "x264:crf=20"]
    results = make_results(
        {text: {"a": {"psnr_db": 30.0, "bits_per_pixel": 1.0}} for text in texts},
        tags={"a": {"motion": "low"}},
    )
    assert families(results).latents == ("m@4",)
    assert families(results).files == ("m@4:step=1", "fsq", "x264:crf=20")
    for table in all_tables(results, anchor="x264"):
        assert len({row.name == "m@4" for row in table.rows}) == 1


def test_a_table_by_tag_has_the_means_of_the_tagged_clips(make_results):
    tags = {"a": {"motion": "low"}, "b": {"motion": "high"}, "c": {"motion": "high"}}
    results = make_results(
        {"m@1": {"a": {"psnr_db": 10.0}, "b": {"psnr_db": 20.0}, "c": {"psnr_db": 40.0}}}, tags=tags
    )
    table = tag_table(results, ["m@1"], find_column("psnr_db"), title="t")
    assert table.heads == (Head("low (1)", "motion"), Head("high (2)", "motion"))
    assert [cell.text for cell in table.rows[0].cells] == ["10.00", "30.00"]


def test_no_letter_of_a_name_is_markup_in_latex():
    """What is left when all escapes are taken out holds no letter that LaTeX reads."""
    text = latex_text(NASTY + " \n next")
    plain = re.sub(r"\\(text[a-z]+\{\}|[{}$&#_%])", "", text)
    assert not set(plain) & set("\\{}$&#_%~^")
    assert "\n" not in text
    for letter in "abcdefghijklmno":
        assert letter in text


def test_no_letter_of_a_text_is_markup_in_markdown():
    text = markdown_text(NASTY + " \n next")
    assert not set(re.sub(r"\\.", "", text)) & set(r"\`*_[]<>|~&#$")
    assert re.sub(r"\\(.)", r"\1", text) == NASTY + " next"


@pytest.mark.parametrize("name", ["plain", "a`b", "`a", "a``b`", "a|b"])
def test_code_is_fenced_by_more_backticks_than_it_holds(name):
    code = markdown_code(name)
    fence = re.match("`+", code)
    assert fence is not None
    assert code.endswith(fence[0])
    inside = code[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in inside
    assert inside.strip().replace(r"\|", "|") == name


def nasty_table() -> Table:
    return Table(
        title=NASTY,
        protocol=NASTY,
        note=NASTY,
        corner=NASTY,
        heads=(Head(NASTY, NASTY), Head("plain", NASTY), Head("x", "other")),
        rows=(Row(NASTY, (Cell(NASTY, "1", NASTY, best=True), Cell(), Cell("∞"))),),
    )


def test_every_line_of_a_markdown_table_has_as_many_cells():
    lines = markdown_table(nasty_table()).splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


def test_every_line_of_a_latex_table_has_as_many_cells_and_braces_close():
    text = latex_table(nasty_table())
    bare = re.sub(r"\\[{}&%$#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    rows = [line for line in bare.splitlines() if line.endswith(r"\\")]
    columns = [
        sum(int(count) for count in re.findall(r"\\multicolumn\{(\d)\}", line))
        + sum("multicolumn" not in part for part in line.split("&"))
        for line in rows
    ]
    assert columns == [4, 4, 4]
    for begun in re.findall(r"\\begin\{(.*?)\}", text):
        assert text.count(rf"\begin{{{begun}}}") == text.count(rf"\end{{{begun}}}")


def test_groups_stand_above_their_columns():
    table = Table(
        title="t",
        protocol="p",
        note="n",
        heads=(Head("a", "one"), Head("b", "one"), Head("c", "two")),
        rows=(),
    )
    assert markdown_table(table).startswith("| system | one<br>a | <br>b | two<br>c |")
    assert r"\multicolumn{2}{c}{one} & \multicolumn{1}{c}{two}" in latex_table(table)
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-4}" in latex_table(table)


@pytest.mark.parametrize("suffix", [".md", ".tex"])
def test_a_file_of_tables_names_its_protocol_its_command_and_what_failed(make_results, tmp_path, suffix):
    results = make_results({"m@4": {"a": {"psnr_db": 30.0}, "b": "odd"}})
    target = tmp_path / f"tables{suffix}"
    write_tables(results, target)
    text = target.read_text()
    for part in ("made-up v1", "commit abc", "no figures of b: odd", "30.00"):
        assert part in text
    with pytest.raises(OutputError):
        write_tables(results, target)
    write_tables(results, target, force=True)
    assert target.read_text() == text


def test_a_title_stands_above_tables_and_its_letters_are_text(make_results, tmp_path):
    results = make_results({"m@4": {"a": {"psnr_db": 30.0}}})
    write_tables(results, tmp_path / "t.md", title="  Ours,\n *a* and $b$ ")
    assert (tmp_path / "t.md").read_text().splitlines()[0] == r"# Ours, \*a\* and \$b\$"
    write_tables(results, tmp_path / "t.tex", title="100 % ours")
    assert (tmp_path / "t.tex").read_text().splitlines()[0] == r"% 100 \% ours"
    with pytest.raises(OptionError, match="title is empty"):
        write_tables(results, tmp_path / "none.md", title=" \t")
    assert not (tmp_path / "none.md").exists()


@pytest.mark.parametrize("suffix", [".md", ".tex"])
def test_names_that_are_no_unicode_are_written(make_results, tmp_path, suffix):
    results = make_results({"m@4": {"caf\udce9.mkv": "odd"}, "n@4": {"caf\udce9.mkv": {"psnr_db": 30.0}}})
    results.figures["data"] = "caf\udce9"
    write_tables(results, tmp_path / f"t{suffix}")
    assert "caf" in (tmp_path / f"t{suffix}").read_text(encoding="utf-8")


def test_another_suffix_is_named(make_results, tmp_path):
    with pytest.raises(OptionError, match=r"\.md, \.tex"):
        write_tables(make_results({"m@4": {"a": {"psnr_db": 30.0}}}), tmp_path / "x.doc")
