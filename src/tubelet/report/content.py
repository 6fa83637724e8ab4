"""What figures must hold before anything is made of them: every name, and the kind of its value.

A file of figures may come from anywhere. What is checked here, tables, plots and pages need not doubt.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Check = Callable[[Any, str], None]
"""Raises `ValueError` if a value is not what it should be; its second argument says where it stands."""

_LARGEST = 1e15
"""No figure is larger in magnitude."""

_NOTHING: Mapping[str, Check] = MappingProxyType({})


def check_evaluation(figures: object) -> None:
    """Check the figures of an evaluation (docs/reference/results-format.md) as far as reports use them.

    Raises:
        ValueError: something is missing, or of another kind; it says where.
    """
    _EVALUATION(figures, "figures")
    assert isinstance(figures, dict)
    clips = figures["clips"].keys()
    for name, system in figures["systems"].items():
        if system["clips"].keys() != clips:
            raise ValueError(f"figures.systems.{name:.40}.clips are not those of figures.clips")
    for name, kept in figures.get("videos", {}).items():
        for part in ("systems", "latents", "tokens", "counts", "motion"):
            if unknown := kept.get(part, {}).keys() - figures["systems"].keys():
                raise ValueError(
                    f"figures.videos.{name:.40}.{part} has {min(unknown):.40}, which is not a system"
                )
        if name not in clips:
            raise ValueError(f"figures.videos has {name:.40}, which is not a clip")


def check_benchmark(figures: object) -> None:
    """Check the figures of a benchmark (docs/reference/bench-format.md) as far as tables and plots use them.

    Raises:
        ValueError: something is missing, or of another kind; it says where.
    """
    _BENCHMARK(figures, "figures")
    assert isinstance(figures, dict)
    for place, row in enumerate(figures["rows"]):
        if row["system"] not in figures["systems"]:
            raise ValueError(f"figures.rows.{place}.system is {row['system']:.40}, which is not a system")
        if row.get("fastest"):
            _FASTEST(row, f"figures.rows.{place}")


def check_described(protocol: object, circumstances: object) -> None:
    """Check what is said about how figures were measured.

    Raises:
        ValueError: something is missing, or of another kind; it says where.
    """
    _text(protocol, "protocol")
    _CIRCUMSTANCES(circumstances, "circumstances")


def _wrong(value: object, place: str, rule: str) -> ValueError:
    return ValueError(f"{place} is {value!r:.40}; it must be {rule}")


def _text(value: object, place: str) -> None:
    if not isinstance(value, str):
        raise _wrong(value, place, "a text")


def _whole(value: object, place: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise _wrong(value, place, "a whole number from 0")


def _number(value: object, place: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_LARGEST <= value <= _LARGEST:
        raise _wrong(value, place, f"a number, of at most {_LARGEST:g}")


def _above_zero(value: object, place: str) -> None:
    _number(value, place)
    if not isinstance(value, int | float) or value <= 0:
        raise _wrong(value, place, "above 0")


def _anything(_value: object, _place: str) -> None:
    pass


def _or_null(check: Check) -> Check:
    """A value that may be null, which stands for infinite or for none."""

    def both(value: object, place: str) -> None:
        if value is not None:
            check(value, place)

    return both


def _several(check: Check) -> Check:
    """A list."""

    def all_of_it(value: object, place: str) -> None:
        if not isinstance(value, list):
            raise _wrong(value, place, "a list")
        for number, item in enumerate(value):
            check(item, f"{place}.{number}")

    return all_of_it


def _by_name(check: Check, other: Mapping[str, Check] = _NOTHING) -> Check:
    """An object with any names, whose values are alike, except those of some names."""

    def all_of_it(value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, place, "an object")
        for name, item in value.items():
            other.get(name, check)(item, f"{place}.{name:.40}")

    return all_of_it


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] = _NOTHING) -> Check:
    """An object with these names; others are not looked at."""
    known = {**required, **optional}

    def all_of_it(value: object, place: str) -> None:
        _by_name(_anything, known)(value, place)
        assert isinstance(value, dict)
        if missing := required.keys() - value.keys():
            raise ValueError(f"{place} has no {min(missing)}")

    return all_of_it


_FIGURE = _or_null(_number)

_INTERVAL = _object({"mean": _FIGURE, "low": _FIGURE, "high": _FIGURE, "clips": _whole}, {"exact": _whole})

_RATES = {"bits_per_pixel": _above_zero, "numbers_per_pixel": _above_zero}

_RATE_MEANS = {
    name: _object({"mean": check, "low": check, "high": check, "clips": _whole})
    for name, check in _RATES.items()
}

_GROUPS = _by_name(
    _by_name(_INTERVAL),
    {"clips": _whole, "speed": _by_name(_FIGURE), "rate": _by_name(_INTERVAL, _RATE_MEANS)},
)


def _summary(value: object, place: str) -> None:
    _GROUPS(value, place)
    assert isinstance(value, dict)
    if missing := {"clips", "rate" if len(value) > 1 else "clips"} - value.keys():
        raise ValueError(f"{place} has no {min(missing)}")


_CLIP = _object(
    {},
    {
        "error": _text,
        "figures": _by_name(_FIGURE),
        "curves": _by_name(_several(_FIGURE)),
        "absent": _by_name(_text),
        "rate": _by_name(_FIGURE, _RATES),
        "drift_psnr_db": _by_name(_FIGURE),
    },
)


def _clip(value: object, place: str) -> None:
    _CLIP(value, place)
    assert isinstance(value, dict)
    if "error" not in value and not {"figures", "rate"} <= value.keys():
        raise ValueError(f"{place} has neither an error nor figures and a rate")


_SYSTEM = _object(
    {
        "facts": _object({"kind": _text}, {"options": _by_name(_anything)}),
        "clips": _by_name(_clip),
        "summary": _object(
            {"all": _summary, "by_tag": _by_name(_by_name(_summary)), "absent": _by_name(_text)},
            {"failed": _whole},
        ),
    }
)

_STEP = _object({"path": _text, "frames": _several(_whole)})

_EVALUATION = _object(
    {
        "data": _text,
        "intervals": _object({"level": _number, "resamples": _whole}),
        "measures": _by_name(_object({"group": _text, "better": _text}, {"says": _text})),
        "clips": _by_name(
            _object(
                {}, {"rate": _text, "tags": _by_name(_text), "frames": _whole, "warnings": _several(_text)}
            )
        ),
        "systems": _by_name(_SYSTEM),
    },
    {
        "videos": _by_name(
            _object(
                {"source": _text, "systems": _by_name(_text)},
                {kind: _by_name(_STEP) for kind in ("latents", "tokens", "counts", "motion")},
            )
        ),
    },
)

_CIRCUMSTANCES = _object(
    {"command": _text, "date": _text, "commit": _or_null(_text)},
    {"machine": _by_name(_anything), "versions": _by_name(_or_null(_text))},
)

_SPREAD = _object({"median": _above_zero, "lowest": _above_zero, "highest": _above_zero})

_BENCHMARK = _object(
    {
        "run": _by_name(_anything),
        "systems": _by_name(_object({}, {"kind": _text, "mflop_per_pixel": _number})),
        "rows": _several(
            _object(
                {"system": _text, "width": _whole, "height": _whole, "frames": _whole},
                {"format": _or_null(_text), "mode": _or_null(_text), "absent": _text},
            )
        ),
    }
)

_FASTEST = _object(
    {
        "format": _or_null(_text),
        "mode": _or_null(_text),
        "peak_mib": _number,
        "encode_mpx_per_s": _SPREAD,
        "decode_mpx_per_s": _SPREAD,
        "both_mpx_per_s": _SPREAD,
        "first_frame_seconds": _SPREAD,
    },
    {"times_of_first": _object({"both": _SPREAD})},
)
