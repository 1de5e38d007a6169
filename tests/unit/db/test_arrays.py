"""Array literals survive the trip through PostgreSQL; see also the integration tests."""

from db import arrays


def test_text_arrays_quote_what_would_end_an_element():
    assert arrays.text_array(["a", 'b"c', "d\\e", "", "{f,g}", None, "NULL"]) == (
        '{"a","b\\"c","d\\\\e","","{f,g}",NULL,"NULL"}'
    )


def test_bytes_arrays_are_hexadecimal():
    assert arrays.bytes_array([b"\x00\xff", b"", None]) == '{"\\\\x00ff","\\\\x",NULL}'
