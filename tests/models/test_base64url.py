"""Base64url without padding; only one text decodes to given bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import base64url


@given(st.binary(max_size=40))
def test_what_is_encoded_decodes_to_the_same_bytes(raw: bytes) -> None:
    assert base64url.decode(base64url.encode(raw)) == raw


def test_the_alphabet_is_the_one_for_urls_and_nothing_is_padded() -> None:
    assert base64url.encode(b"\xfb\xff\xfe\xff") == "-__-_w"
    assert base64url.encode(b"") == ""


SAME_TO_THE_LIBRARY = ["-__-_x", "+//+/w", "-__-_w=", "-__-_w==", "-__-_w!!!!", "-__\n-_w\n\n\n"]


@pytest.mark.parametrize("text", [*SAME_TO_THE_LIBRARY, "A", "AAAAA", "=", "ü", "\ud800"])
def test_what_is_not_written_by_encode_is_refused(text: str) -> None:
    """Red when `decode` does not compare."""
    with pytest.raises(ValueError, match=r".+"):
        base64url.decode(text)
