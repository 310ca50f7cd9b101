import json

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from sandbox.push_format import Unreadable, read, write


def test_numbers_go_bare_and_strings_in_cdata() -> None:
    assert write({"A": "x", "N": 7}, "xml") == b"<xml><A><![CDATA[x]]></A><N>7</N></xml>"
    assert write({"A": "x", "N": 7}, "json") == b'{"A":"x","N":7}'


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=40))
def test_any_text_survives(text: str) -> None:
    assert fromstring(write({"A": text}, "xml"))[0].text or text == ""
    assert read(write({"A": text}, "xml"), "xml") == {"A": text}
    assert json.loads(write({"A": text}, "json")) == read(write({"A": text}, "json"), "json") == {"A": text}


@pytest.mark.parametrize(
    ("body", "fmt"),
    [
        (b'{"a":1}', "xml"),
        (b'"<xml></xml>"', "xml"),
        (b"<xml>", "xml"),
        (b"<reply></reply>", "xml"),
        (b'<!DOCTYPE xml [<!ENTITY a "b">]><xml><A>&a;</A></xml>', "xml"),
        (b"<!DOCTYPE xml><xml></xml>", "xml"),
        (b"<xml></xml>", "json"),
        (b"[]", "json"),
        (b"\xff", "json"),
    ],
)
def test_what_is_not_in_the_format_is_unreadable(body: bytes, fmt: str) -> None:
    with pytest.raises(Unreadable):
        read(body, fmt)


def test_nested_fields_are_empty() -> None:
    assert read(b"<xml><Image><MediaId>1</MediaId></Image></xml>", "xml") == {"Image": ""}
    assert read(b'{"Image":{"MediaId":1},"N":null}', "json") == {"Image": "", "N": "None"}
