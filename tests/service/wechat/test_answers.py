"""Answers of WeChat's API in any bytes: what matters is read, and what is no answer is described without secrets.

Red when `_decoded` decodes strictly or loads strictly, when `_clean` masks nothing or cuts nothing off, and when
`word` takes any string.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.wechat.answers import Refused, understood, word

TOKEN = "79_" + "aB3-x_" * 20
SECRET = "0123456789abcdef" * 2
ODD_NAMES = {
    "GBK": "王军".encode("gbk"),
    "GBK that ends in a backslash": "誠".encode("gbk"),
    "half a character of UTF-8": "王".encode()[:2],
    "what neither encoding has": b"\x79\xff",
    "a control character": b"a\x14b\x08\x00",
    "line breaks": b"a\r\nb\tc",
    "half a surrogate pair": rb"\ud83d",
    "an overlong NUL": b"\xc0\x80",
    "an emoji": "🧧".encode(),
}


def refusal(body: bytes, status: int = 200, content_type: str = "text/html") -> Refused:
    with pytest.raises(Refused) as caught:
        understood(status, content_type, body)
    return caught.value


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json; encoding=utf-8", "text/html; charset=GBK", ""]
)
def test_odd_bytes_in_one_field_spoil_no_other(name: bytes, content_type: str) -> None:
    body = b'{"subscribe":1,"nickname":"' + name + b'","unionid":"u_1","city":"' + name + b'"}'
    answer = understood(200, content_type, body)
    assert (answer["subscribe"], answer["unionid"]) == (1, "u_1")


@given(st.binary(max_size=40).filter(lambda name: b'"' not in name and b"\\" not in name))
def test_no_bytes_in_one_field_spoil_another(name: bytes) -> None:
    answer = understood(200, "", b'{"remark":"' + name + b'","unionid":"u_1"}')
    assert answer["unionid"] == "u_1"


def test_a_byte_order_mark_and_surrounding_space_are_ignored() -> None:
    assert understood(200, "", b"\xef\xbb\xbf \r\n" + b'{"errcode":0,"a":1}' + b"\n") == {"errcode": 0, "a": 1}


@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        (b"<html><head><title>Log in</title>", '"<html><head><title>Log in</title>"'),
        (b"\x1f\x8b\x08\x00\xff", None),
        (b"Bad\r\n\x1b[31mGateway\xe2\x80\xa8" + b"!" * 900, '"Bad [31mGateway !'),
        (b'["ok"]', '["ok"]'),
        (b'{"errcode":0', '{"errcode":0'),
    ],
)
def test_what_is_no_answer_is_described(body: bytes, beginning: str | None) -> None:
    why = refusal(body, 502, "text/html; charset=GBK").why
    assert why.startswith(f"HTTP 502, no JSON object: text/html; charset=GBK, {len(body)} bytes")
    assert beginning is None or beginning in why
    assert why.isprintable()


def test_an_empty_answer_is_described_as_empty() -> None:
    assert refusal(b"", 502, "").why == "HTTP 502, no JSON object: no content type, 0 bytes"


@pytest.mark.parametrize(
    "page",
    [
        f"Cannot GET /cgi-bin/user/info?access_token={TOKEN}&openid=oAbcdefghijklmnopqrstuvwxyz12",
        f"access_token={TOKEN}",
        f'["{SECRET}", "{TOKEN}"]',
        f'{{"secret":"{SECRET}"',
        f"<a href='https://portal.example/?to=https%3A%2F%2Fapi%2F%3Faccess_token%3D{TOKEN}'>",
        f"{'.' * 500}{SECRET}{TOKEN}",
    ],
)
def test_an_error_page_that_quotes_the_request_is_not_quoted(page: str) -> None:
    told = str(refusal(page.encode()))
    assert not any(
        secret[at : at + 8] in told for secret in (TOKEN, SECRET) for at in range(0, len(secret) - 8, 8)
    )


@given(st.binary(max_size=2000), st.text(max_size=200), st.integers(100, 599))
@example(b"null", "text/plain", 200)
@example(b"[" * 2000, "", 200)
@example(b'{"errcode":1e400}', "", 200)
@example(b'{"errcode":NaN}', "", 200)
@example(b'{"errcode":{}}', "", 200)
@example(b'{"errcode":-1,"errmsg":"\x00\\ud83d rid: 0-1"}', "", 200)
def test_any_bytes_are_an_object_or_a_short_printable_reason(body: bytes, content_type: str, status: int) -> None:
    try:
        told = repr(type(understood(status, content_type, body)))
    except Refused as refused:
        told = str(refused)
    assert told.isprintable()
    assert len(told) < 250


@pytest.mark.parametrize(
    ("errmsg", "ip"),
    [
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: 0a-1b-2c", "203.0.113.7"),
        ("invalid ip 2001:db8::7, not in whitelist rid: 0a-1b-2c", "2001:db8::7"),
        ("not in whitelist rid: 0a-1b-2c", None),
        ("invalid ip hunter2, rid: 0a-1b-2c", None),
        (
            "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info rid: 0a-1b-2c",
            "203.0.113.7",
        ),
        ("invalid code, from ip: hunter2 rid: 0a-1b-2c", None),
    ],
)
def test_the_address_that_wechat_saw_is_kept(errmsg: str, ip: str | None) -> None:
    refused = refusal(json.dumps({"errcode": 40164, "errmsg": errmsg}).encode())
    assert (refused.errcode, refused.ip) == (40164, ip)
    assert refused.why == "rid=0a-1b-2c" + (f" ip={ip}" if ip else "")


@pytest.mark.parametrize("value", ["", " ", "a b", "a\n", "ü", "\ud83d", "a" * 65, 5, None, ["a"], {"a": 1}, True])
def test_a_word_is_visible_ascii_of_limited_length(value: Any) -> None:
    assert word({"unionid": value}, "unionid", longest=64) is None
    assert word({"unionid": "a" * 64}, "unionid", longest=64) == "a" * 64
