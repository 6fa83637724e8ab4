"""Places in alphabets of known frequencies as the words of a range coder, and back (SPEC.md, section 6)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] (compiled, no stubs)
from numpy.typing import NDArray

from tubelet.bitstream.fields import Cursor

Alphabet = Any
"""Frequencies as constriction wants them; it is compiled and has no stubs."""


def alphabet(frequencies: NDArray[np.int64]) -> Alphabet:
    """What has exactly these frequencies, two or more that add up to 2^24.

    Constriction takes weights p and puts the left end of interval i at floor(s·(p_0 + … + p_{i-1})) + i, with
    s = (2^24 - n) / sum(p). Weights that are one less than the frequencies sum to 2^24 - n, so s is exactly
    1; every partial sum is a whole number below 2^24, which a float64 holds exactly. So the floats only carry
    integers, nothing rounds, and the intervals are the frequencies on every machine.
    """
    return stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def even_alphabet(size: int) -> Alphabet:
    """Intervals of floor(2^24 / size), and the last one to the end."""
    return stream.model.Uniform(size)


class RangeEncoder:
    """Codes runs of places, each in an alphabet of its own."""

    def __init__(self) -> None:
        self._encoder = stream.queue.RangeEncoder()

    def encode(self, places: NDArray[np.int32], alphabet: Alphabet) -> None:
        """Code places in an alphabet, after those before."""
        self._encoder.encode(places, alphabet)

    def encode_runs(
        self, places: NDArray[np.int32], runs: Sequence[tuple[int, int]], alphabets: Sequence[Alphabet | None]
    ) -> None:
        """Code runs of places, from a start to a stop each; where there is no alphabet nothing is coded."""
        encode = self._encoder.encode  # there are many runs, and most are short
        for (start, stop), letters in zip(runs, alphabets, strict=True):
            if letters is not None:
                encode(places[start:stop], letters)

    def to_bytes(self) -> bytes:
        """The words as they are stored; none if nothing was coded."""
        return self._encoder.get_compressed().astype("<u4").tobytes()


class RangeDecoder:
    """Undoes a `RangeEncoder`, whose words are what is left of a segment.

    Raises:
        BitstreamError: what is left is not a whole number of words.
    """

    def __init__(self, cursor: Cursor) -> None:
        if cursor.remaining % 4:
            raise cursor.broken(f"{cursor.remaining} bytes are not a whole number of 4-byte words")
        self._cursor = cursor
        words = np.frombuffer(cursor.take(cursor.remaining), "<u4")
        self._decoder = stream.queue.RangeDecoder(words.astype(np.uint32))

    def decode(self, alphabet: Alphabet, count: int) -> NDArray[np.int32]:
        """The next `count` places in an alphabet.

        Raises:
            BitstreamError: the words are not the code of any.
        """
        return self.decode_runs([(0, count)], [alphabet])

    def decode_runs(
        self, runs: Sequence[tuple[int, int]], alphabets: Sequence[Alphabet | None]
    ) -> NDArray[np.int32]:
        """The places of consecutive runs, each in its alphabet; zeros where there is none.

        Raises:
            BitstreamError: the words are not the code of any.
        """
        decode = self._decoder.decode  # there are many runs, and most are short
        places = np.zeros(runs[-1][1] if runs else 0, np.int32)
        try:
            for (start, stop), letters in zip(runs, alphabets, strict=True):
                if letters is not None:
                    places[start:stop] = decode(letters, stop - start)
        except AssertionError as error:  # constriction's way of saying that the words are not a range code
            raise self._cursor.broken("its words are not the code of any symbols") from error
        return places
