import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tubelet.bitstream.fields import Cursor, sealed, signed, unsealed, unsigned, unsigned_array
from tubelet.errors import BitstreamError

MOST = 2**63 - 1


@given(st.integers(0, MOST))
def test_an_unsigned_number_survives(value):
    cursor = Cursor(unsigned(value), "it")
    assert cursor.unsigned("n", most=MOST) == value
    cursor.finish()


@given(st.integers(-(2**62), 2**62))
def test_a_signed_number_survives(value):
    assert Cursor(signed(value), "it").signed("n", most=2**62) == value


@given(st.lists(st.integers(0, 2**35 - 1)), st.binary(max_size=7))
def test_an_array_is_its_numbers_one_after_another(values, rest):
    data = unsigned_array(np.array(values, np.int64))
    assert data == b"".join(unsigned(value) for value in values)
    cursor = Cursor(data + rest, "it")
    assert cursor.unsigned_array("n", len(values)).tolist() == values
    assert cursor.remaining == len(rest)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 10 + b"\x01", b"\x80" * 9 + b"\x02"])
def test_a_number_that_no_writer_makes_is_refused(data):
    with pytest.raises(BitstreamError):
        Cursor(data, "it").unsigned("n", most=MOST)


@pytest.mark.parametrize("data", [b"\x01", b"\x01\x80", b"\x01\x80\x00", b"\x01" + b"\x80" * 5 + b"\x01"])
def test_an_array_that_no_writer_makes_is_refused(data):
    with pytest.raises(BitstreamError):
        Cursor(data, "it").unsigned_array("n", 2)


def test_a_number_outside_its_range_is_named_with_the_range():
    with pytest.raises(BitstreamError, match="rows is 9, outside 1 to 8"):
        Cursor(b"\x09", "it").unsigned("rows", least=1, most=8)


def test_an_array_longer_than_the_data_is_refused_before_memory_is_reserved():
    with pytest.raises(BitstreamError, match="1099511627776 numbers"):
        Cursor(b"\x01" * 10, "it").unsigned_array("n", 2**40)


@given(st.binary(), st.data())
def test_any_flipped_bit_breaks_a_seal(data, draw):
    broken = bytearray(sealed(data))
    assert unsealed(bytes(broken), "it") == data
    broken[draw.draw(st.integers(0, len(broken) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(BitstreamError, match="checksum"):
        unsealed(bytes(broken), "it")
