"""Messages are the same in XML and JSON, and what no message can be is refused.

Red when a name can become markup, when elements twice or too deep are read, and when a text breaks out of CDATA.
"""

import json

import pytest
import xmltodict
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import Malformed
from service.wechat.message_tree import Fields, read_tree, write_tree
from service.wechat.parsing import Format

NEWS: Fields = {
    "CreateTime": "1700000000",
    "MsgType": "news",
    "ArticleCount": "2",
    "Articles": [{"Title": "A", "Url": "https://a/?x=1&y=2"}, {"Title": "B", "Url": ""}],
}


def test_a_message_is_the_same_in_both_formats() -> None:
    assert read_tree(write_tree(NEWS, Format.XML)) == NEWS
    told = json.loads(write_tree(NEWS, Format.JSON))
    assert (told["CreateTime"], told["ArticleCount"], told["Articles"]) == (1700000000, 2, NEWS["Articles"])
    rewritten = xmltodict.parse(write_tree(read_tree(json.dumps(told).encode()), Format.XML))["xml"]
    assert rewritten["Articles"]["item"][0] == {"Title": "A", "Url": "https://a/?x=1&y=2"}


@given(st.text())
@example("a]]><MsgType>event</MsgType><![CDATA[b")
def test_any_text_comes_back_without_what_xml_forbids(text: str) -> None:
    written = write_tree(read_tree(json.dumps({"Content": text}).encode("utf-8", "surrogatepass")), Format.XML)
    said = read_tree(written)["Content"]
    assert isinstance(said, str)
    assert (
        said.split()
        == "".join(sign for sign in text if sign in "\t\n\r" or ord(sign) >= 32)
        .translate({0xFFFE: None, 0xFFFF: None} | dict.fromkeys(range(0xD800, 0xE000)))
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .split()
    )


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"[]", b"1", b"<xml/>", b"<y><A>1</A></y>", b"<xml><A>1</A><A>2</A></xml>", b"\xff",
        b'{"a":1,"a":2}', b'{"<b>":1}', b'{"a b":1}', b'{"a":NaN}', b"[" * 50_000,
        b"<xml>" + b"<a>" * 9 + b"x" + b"</a>" * 9 + b"</xml>",
        json.dumps({"a": [[[[[[[1]]]]]]]}).encode(),
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><A>&a;</A></xml>',
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_tree(body)
