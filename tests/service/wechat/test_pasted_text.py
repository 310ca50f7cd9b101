"""What people type or paste breaks no push, and makes no other event of it.

Red when `read` decodes strictly, or drops what XML forbids before the document is parsed: then `]]`, a control
character and `>` close a CDATA section.
"""

import json
import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from push_sender import FORMS, HEAD, NOW, PLAIN, SAFE, Sender, written

from models.errors import Malformed, UnreadablePush
from models.events import Event, Other, TextMessage
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format, read, understand
from service.wechat.push_account import PushAccount

FORBIDDEN = [
    "\x00",
    "\x01",
    "\x02",
    "\x08",
    "\x0b",
    "\x10",
    "\x1d",
    "\x1f",
    "\ufffe",
    "\uffff",
    "\ud800",
    "\udfff",
]
SEALED = pytest.mark.parametrize("account", [PLAIN, SAFE], ids=["plain", "safe"])


def head(kind: str = "text") -> str:
    return "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in {**HEAD, "MsgType": kind}.items())


def xml(content: str, *, kind: str = "text", name: str = "Content") -> bytes:
    """Return a message whose content stands there as it is, escaped or not."""
    text = f"<xml>{head(kind)}<{name}>{content}</{name}><MsgId>1</MsgId></xml>"
    return text.encode(errors="surrogatepass")


def in_cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def pushed(account: PushAccount, message: bytes, form: Format = Format.XML) -> Event:
    """Send *message* as WeChat does in the account's mode, and return what it is read as."""
    if account is PLAIN:
        return account.open(Sender().stamp(), message, now=NOW).event
    encrypt = Envelope.of("N" * 43, appid=account.appid).seal(message)
    outer = written({"ToUserName": "gh_me", "Encrypt": encrypt}, form).encode()
    return account.open(Sender().stamp(encrypt), outer, now=NOW).event


def outcome(message: bytes) -> Event | str:
    """Return what *message* is read as in plain mode, or what cannot be read of it."""
    try:
        return pushed(PLAIN, message)
    except UnreadablePush as unreadable:
        return unreadable.fault


def said(event: Event | str) -> str:
    assert isinstance(event, TextMessage)
    return event.text


@SEALED
@pytest.mark.parametrize("character", FORBIDDEN)
def test_what_xml_forbids_is_dropped_from_what_is_said(account: PushAccount, character: str) -> None:
    for text in (f"47{character}", f"{character}47", f"4{character}7"):
        assert said(pushed(account, xml(in_cdata(text)))) == "47"
        assert said(pushed(account, xml(text))) == "47"
        reference = text.replace(character, f"&#{ord(character)};&#x{ord(character):X};&#x000{ord(character):x};")
        assert said(pushed(account, xml(reference))) == "47"
    for raw in (True, False):
        message = json.dumps({**HEAD, "MsgType": "text", "MsgId": 1, "Content": "4?7"}).encode()
        sign = character.encode(errors="surrogatepass") if raw else json.dumps(character)[1:-1].encode()
        assert said(pushed(account, message.replace(b"?", sign), Format.JSON)) == "47"


def test_json_may_hold_the_end_of_a_line_as_it_is() -> None:
    """Red when `_from_json` is strict about control characters."""
    message = json.dumps({**HEAD, "MsgType": "text", "Content": "4?7"}).encode()
    assert said(pushed(PLAIN, message.replace(b"?", b"\t\r\n"), Format.JSON)) == "4\t\r\n7"


@pytest.mark.parametrize("digits", ["1114112", "x110000", "9" * 5000, "x" + "F" * 5000, "0" * 5000, "x0"])
def test_a_reference_to_no_character_is_dropped(digits: str) -> None:
    """Red when the number of digits to convert has no bound."""
    assert said(pushed(PLAIN, xml(f"47&#{digits};"))) == "47"


def test_a_reference_in_cdata_is_what_a_person_typed() -> None:
    """Red when references are dropped everywhere: 4&#2;7 would be 47."""
    assert said(pushed(PLAIN, xml("<![CDATA[4&#2;7&amp;]]>&#2;!&lt;<![CDATA[&#3;]]>"))) == "4&#2;7&amp;!<&#3;"


@FORMS
@pytest.mark.parametrize(
    "junk", [b"\xff", b"\xc0\xbc", b"\xe4\xbd", b"\xf0\x9f", b"\xed\xa0\xbd\xed\xb8\x80", b"\xc4\xe3"]
)
def test_bytes_that_are_no_utf_8_are_dropped(form: Format, junk: bytes) -> None:
    message = written({**HEAD, "MsgType": "text", "Content": "47?", "MsgId": "1"}, form).encode()
    event = pushed(PLAIN, message.replace(b"?", junk))
    assert said(event) == "47"
    other = written({**HEAD, "MsgType": "text", "Content": "47", "Extra": "?"}, form).encode()
    assert said(pushed(PLAIN, other.replace(b"?", junk))) == "47"


def test_a_declared_encoding_changes_nothing() -> None:
    for encoding in (b"gbk", b"utf-16", b"x"):
        assert said(pushed(PLAIN, b'<?xml version="1.0" encoding="%s"?>' % encoding + xml("47"))) == "47"


@FORMS
@pytest.mark.parametrize("name", ["FromUserName", "ToUserName", "CreateTime", "MsgType"])
@pytest.mark.parametrize("sign", ["\x02", "\x00", "\ud800", "\ufdd0"])
def test_no_id_is_read_from_what_is_left_of_it(form: Format, name: str, sign: str) -> None:
    """Red when control characters are dropped everywhere: o_per\\x02son is not o_person."""
    fields = {**HEAD, "MsgType": "text", "Content": "47", "MsgId": "1"}
    message = written({**fields, name: f"{fields[name][:3]}{sign}{fields[name][3:]}"}, form)
    read_as = outcome(message.encode(errors="surrogatepass"))
    assert read_as == name or (name == "MsgType" and isinstance(read_as, Other))


CLOSING = [
    "]]></Content><MsgType><![CDATA[event]]></MsgType><Event>SCAN</Event><EventKey>x</EventKey><Content><![CDATA[",
    "]]></Content><FromUserName>o_other</FromUserName><Content><![CDATA[",
    "]]\x02></Content><FromUserName>o_other</FromUserName><a><![CDATA[",
    "]\x02]\x02></Content><Event>SCAN</Event><EventKey>x</EventKey><a><![CDATA[",
    "]&#2;]></Content><MsgType>event</MsgType><a><![CDATA[",
    "]]\ufffe></Content></xml><!--",
    "<\x02/Content><Event>SCAN<\x02/Event>",
    '","MsgType":"event","Event":"SCAN","EventKey":"x","a":"',
    '\x02","FromUserName":"o_other',
    "]]>", "]]", "]]>]]>", "<![CDATA[", "<!DOCTYPE xml>", "&lol;", "\\", "\\u", '"',
    "<Recognition>47</Recognition>",
]  # fmt: skip
any_text = st.text(max_size=30) | st.lists(
    st.sampled_from([*"]]><&;\x02\x00\ufffe47", "]]>", "<![CDATA[", "</Content>", "<Event>", "&#2;", "&#x"])
).map("".join)


@given(any_text)
@pytest.mark.parametrize("account", [PLAIN, SAFE], ids=["plain", "safe"])
@example(CLOSING[0])
@example(CLOSING[3])
def test_any_text_is_read_as_what_was_said(account: PushAccount, text: str) -> None:
    shown = "".join(one for one in text if one not in FORBIDDEN and (one >= " " or one in "\t\n\r"))
    shown = shown.replace("\r\n", "\n").replace("\r", "\n").replace("\ufdd0", "")  # XML has one end of a line
    for content in (in_cdata(text), escape(text, {"\r": "&#10;"})):
        assert said(pushed(account, xml(content))).replace("\n\n", "\n") == shown.replace("\n\n", "\n")
    message = json.dumps({**HEAD, "MsgType": "text", "MsgId": 1, "Content": text}, ensure_ascii=False)
    heard = said(pushed(account, message.encode(errors="surrogatepass"), Format.JSON))
    assert heard.replace("\r\n", "\n").replace("\r", "\n") == shown


@given(any_text | st.sampled_from(CLOSING))
def test_no_text_that_is_not_escaped_at_all_becomes_another_event(text: str) -> None:
    """Red when what closes an element is made well-formed by what is dropped."""
    bodies = [xml(text), xml(f"<![CDATA[{text}]]>"), xml("<![CDATA[" + text, kind="voice", name="Recognition")]
    bodies.append(
        f'{json.dumps({**HEAD, "MsgType": "text"})[:-1]},"Content":"{text}"}}'.encode("utf-8", "replace")
    )
    for event in map(outcome, bodies):
        if not isinstance(event, str):
            assert isinstance(event, TextMessage | Other)
            assert (event.openid, event.gh_id, event.created) == ("o_person", "gh_me", 1700000000)


@pytest.mark.parametrize("text", CLOSING)
def test_what_closes_its_element_is_at_most_a_text(text: str) -> None:
    for content in (text, f"<![CDATA[{text}]]>"):
        event = outcome(xml(content))
        assert event == "body" or type(event) in (TextMessage, Other)


@pytest.mark.parametrize(
    ("recognised", "text"),
    [("47。", "47。"), ("四十七。", "47"), ("你好", "你好"), ("4\x027", "47"), ("不是我", "不是我")],
)
@FORMS
def test_recognised_speech_is_what_was_said(form: Format, recognised: str, text: str) -> None:
    fields = {**HEAD, "MsgType": "voice", "MediaId": "m", "Format": "amr", "Recognition": recognised, "MsgId": "1"}
    assert said(pushed(PLAIN, written(fields, form).encode())) == text
    assert isinstance(pushed(PLAIN, written({**fields, "Recognition": ""}, form).encode()), Other)
    assert isinstance(pushed(PLAIN, written({**fields, "MsgType": "image"}, form).encode()), Other)


def test_two_spoken_messages_have_two_keys() -> None:
    """Red when `_head` leaves the speech out."""
    spoken = {**HEAD, "MsgType": "voice", "Recognition": "47"}
    keys = {understand({**spoken, **more}).key for more in ({}, {"Recognition": "48"}, {"MsgId": "1"})}
    assert len(keys) == 3


def test_the_key_of_a_text_is_the_same_as_ever() -> None:
    """Red when `_head` digests other fields: what is redelivered during an upgrade would be handled twice."""
    text = {**HEAD, "MsgType": "text", "Content": " 47 ", "MsgId": "6054768590064713728"}
    assert understand(text).key == "14e261afccd58039497a7ca2c00f3cc4"
    assert understand({**HEAD, "Event": "SCAN", "EventKey": "x"}).key == "367a6fe5509651c4eaf67aa4eae4d4fe"


@pytest.mark.parametrize(
    "part", ["<![CDATA[", "&#", "&#x", "&#2;", "]]>", "<![CDATA[]]", "&#x1", "\x02", "&#0000"]
)
def test_dropping_takes_as_long_as_the_body_is_and_no_longer(part: str) -> None:
    """Red when an unclosed CDATA section is looked for again at each next one."""
    began = time.process_time()
    with pytest.raises(Malformed):
        read(b"<xml><a>" + part.encode() * (2_000_000 // len(part)))
    assert time.process_time() - began < 10
