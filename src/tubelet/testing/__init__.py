"""The laws as checks: `check_tokenizer` runs `LAWS` on any tokenizer, ours or yours."""

from tubelet.testing.chance import check_chance
from tubelet.testing.compare import LawBrokenError
from tubelet.testing.laws import (
    LAWS,
    Draw,
    Law,
    check_ahead,
    check_any_clip,
    check_causality,
    check_counts,
    check_cut_anywhere,
    check_posterior,
    check_prefixes,
    check_ready_to_use,
    check_refuses_nan,
    check_resuming,
    check_seek_anywhere,
    check_state_is_bounded,
    check_tile_anywhere,
    check_tokenizer,
)
from tubelet.testing.subject import ROUNDING, Decoding, Encoding, Tokenizer, decode_in_runs, encode_in_runs

__all__ = [
    "LAWS",
    "ROUNDING",
    "Decoding",
    "Draw",
    "Encoding",
    "Law",
    "LawBrokenError",
    "Tokenizer",
    "check_ahead",
    "check_any_clip",
    "check_causality",
    "check_chance",
    "check_counts",
    "check_cut_anywhere",
    "check_posterior",
    "check_prefixes",
    "check_ready_to_use",
    "check_refuses_nan",
    "check_resuming",
    "check_seek_anywhere",
    "check_state_is_bounded",
    "check_tile_anywhere",
    "check_tokenizer",
    "decode_in_runs",
    "encode_in_runs",
]
