"""Law 9: only integers cross into the entropy coder; the same tokens give the same bytes on every machine."""

import ast
import hashlib
from pathlib import Path

import numpy as np

import tubelet.bitstream.segment
from tubelet.bitstream.segment import decode_symbols, encode_symbols

_DIGEST = "f0289f3786258c980cd3a4ac1121f764a683c987f9ee15fac4446612121e83cc"


def some_symbols():
    """Made by integer arithmetic alone, so that they are the same everywhere."""
    state, symbols = 12345, []
    for _ in range(5000):
        state = (1103515245 * state + 12345) % 2**31
        symbols.append((state >> 16) % 23 * ((state >> 8) % 5 == 0) - 7)
    return np.array(symbols, dtype=np.int32)


def test_the_same_symbols_give_the_bytes_that_they_always_gave():
    segment = encode_symbols(some_symbols())
    assert hashlib.sha256(segment.table + segment.payload).hexdigest() == _DIGEST


def test_the_bytes_give_the_symbols_back():
    segment = encode_symbols(some_symbols())
    assert np.array_equal(decode_symbols(segment.table + segment.payload, 5000), some_symbols())


def test_no_module_of_the_bitstream_writes_a_floating_point_number_that_decides_bytes():
    folder = Path(tubelet.bitstream.segment.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                # Sizes and entropies are reported as floats; they are never read back.
                assert node.value == 0.0, (path.name, node.lineno, node.value)
