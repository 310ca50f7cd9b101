"""Bytes of pushes become events; malformed ones are refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy import parse_message

from models.errors import Malformed
from models.events import Event, Other, Scan, Subscribed, TextMessage, Unsubscribed
from service.wechat.parsing import Format, read, sealed_values, understand

Sample = Callable[[str], dict[str, Any]]

HEAD = {
    "ToUserName": "gh_97417a04a28d",
    "FromUserName": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
    "CreateTime": "1700000000",
}


def as_xml(**fields: str) -> bytes:
    parts = {**HEAD, **fields}
    return f"<xml>{''.join(f'<{k}><![CDATA[{v}]]></{k}>' for k, v in parts.items())}</xml>".encode()


def as_json(**fields: Any) -> bytes:
    return json.dumps({**HEAD, "CreateTime": 1700000000, **fields}, ensure_ascii=False).encode()


def event(body: bytes) -> Event:
    return understand(read(body).fields)


def pushed(name: str, key: str | None = None, **more: str) -> dict[str, str]:
    return {"MsgType": "event", "Event": name, **({} if key is None else {"EventKey": key}), **more}


WRITERS = pytest.mark.parametrize("write", [as_xml, as_json])


@WRITERS
@pytest.mark.parametrize(
    ("fields", "scene", "followed"),
    [
        (pushed("SCAN", "bind_x", Ticket="T"), "bind_x", False),
        (pushed("subscribe", "qrscene_bind_x", Ticket="T"), "bind_x", True),
        (pushed("scan", "bind_x"), "bind_x", False),
        (pushed("Subscribe", "qrscene_bind_x"), "bind_x", True),
        (pushed("SCAN", "Bind-X_1"), "Bind-X_1", False),
        (pushed("subscribe", "qrscene_qrscene_x"), "qrscene_x", True),
        (pushed("SCAN", "qrscene_x"), "qrscene_x", False),
        (pushed("subscribe", "qrscene_last_trade_no_1"), "last_trade_no_1", True),
        (pushed("SCAN", "0"), "0", False),
    ],
)
def test_a_scan_carries_its_scene(
    write: Callable[..., bytes], fields: dict[str, str], scene: str, followed: bool
) -> None:
    told = event(write(**fields))
    assert isinstance(told, Scan)
    assert (told.scene, told.followed) == (scene, followed)
    assert (told.openid, told.gh_id, told.created) == (
        HEAD["FromUserName"],
        HEAD["ToUserName"],
        1700000000,
    )


@WRITERS
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (pushed("subscribe"), Subscribed),
        (pushed("subscribe", ""), Subscribed),
        (pushed("subscribe", "qrscene_"), Subscribed),
        (pushed("subscribe", "last_trade_no_4200001"), Subscribed),
        (pushed("subscribe", "QRSCENE_x"), Subscribed),
        (pushed("unsubscribe"), Unsubscribed),
        (pushed("unsubscribe", ""), Unsubscribed),
        (pushed("unsubscribe", "last_trade_no_4200001"), Unsubscribed),
        (pushed("unsubscribe", "qrscene_bind_x"), Unsubscribed),
        (pushed("SCAN"), Other),
        (pushed("SCAN", ""), Other),
        (pushed("CLICK", "MENU_KEY"), Other),
        (pushed("VIEW", "https://host/p", MenuId="439342175"), Other),
        (pushed(""), Other),
        ({"MsgType": "event"}, Other),
        ({"MsgType": "image", "PicUrl": "https://host/p", "MsgId": "1"}, Other),
        ({"MsgType": "scan", "Event": "SCAN", "EventKey": "bind_x"}, Other),
    ],
)
def test_noise_is_no_scan(write: Callable[..., bytes], fields: dict[str, str], kind: type[Event]) -> None:
    assert type(event(write(**fields))) is kind


@WRITERS
@pytest.mark.parametrize("text", ["47", " 47 ", "你好", "<b>&amp;", "", "qrscene_x"])
def test_a_text_is_kept_as_sent(write: Callable[..., bytes], text: str) -> None:
    told = event(write(MsgType="text", Content=text, MsgId="6054768590064713728", bizmsgmenuid="101"))
    assert isinstance(told, TextMessage)
    assert told.text == text


def test_a_real_text_message_is_read(sample: Sample) -> None:
    told = event(sample("tencent_safe_xml")["message"].encode())
    assert isinstance(told, TextMessage)
    assert (told.text, told.created, told.gh_id) == ("abcdteT", 1409735668, "gh_10f6c3c3ac5a")


def test_a_real_json_event_is_read(sample: Sample) -> None:
    told = event(sample("official_safe_json")["message"].encode())
    assert isinstance(told, Other)
    assert told.openid == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"


@pytest.mark.parametrize(
    "fields",
    [
        pushed("SCAN", "bind_x", Ticket="T"),
        pushed("subscribe", "qrscene_bind_x", Ticket="T"),
        pushed("subscribe", "qrscene_qrscene_x"),
        pushed("subscribe", "last_trade_no_1"),
        pushed("unsubscribe", ""),
        {"MsgType": "text", "Content": "你好 <47>", "MsgId": "6054768590064713728"},
    ],
)
def test_wechatpy_reads_the_same(fields: dict[str, str]) -> None:
    body = as_xml(**fields)
    ours, theirs = event(body), parse_message(body)
    assert (ours.openid, ours.gh_id, ours.created) == (theirs.source, theirs.target, theirs.time)
    scanned = isinstance(ours, Scan)
    assert scanned is (getattr(theirs, "event", "") in ("scan", "subscribe_scan"))
    assert not isinstance(ours, Scan) or ours.scene == theirs.scene_id
    assert not isinstance(ours, TextMessage) or ours.text == theirs.content


@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf", b"\r\n\t ", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize(("write", "form"), [(as_xml, Format.XML), (as_json, Format.JSON)])
def test_the_first_character_tells_the_format(lead: bytes, write: Callable[..., bytes], form: Format) -> None:
    assert read(lead + write(MsgType="text") + b"\n").format is form


def test_a_prolog_is_read_over() -> None:
    prolog = b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- hello -->\n'
    assert isinstance(event(prolog + as_xml(**pushed("SCAN", "x"))), Scan)


@pytest.mark.parametrize(
    "more",
    [
        b"<event>VIEW</event>",
        b"<EVENT>VIEW</EVENT>",
        b'<w:Event xmlns:w="urn:x">VIEW</w:Event>',
        b"<xml><Event>VIEW</Event><Event>CLICK</Event><FromUserName>o_other</FromUserName></xml>",
        b"<Other Event='VIEW' FromUserName='o_other'/>",
        b"<!-- <Event>VIEW</Event> -->",
        b"<?Event VIEW?>",
        b"<a><![CDATA[</a><Event>VIEW</Event>]]></a>",
    ],
)
def test_what_merely_looks_like_a_field_is_none(more: bytes) -> None:
    plain = as_xml(**pushed("SCAN", "x"))
    for body in (plain.replace(b"</xml>", more + b"</xml>"), plain.replace(b"<xml>", b"<xml>" + more)):
        assert event(body) == event(plain)


def test_a_field_that_nests_is_as_good_as_missing() -> None:
    nested = as_xml(**pushed("SCAN", "x")).replace(b"<FromUserName>", b"<FromUserName><b/>")
    with pytest.raises(Malformed):
        event(nested)


def test_nested_elements_are_left_alone() -> None:
    body = as_xml(**pushed("location_select", "k")).replace(
        b"</xml>",
        b"<SendLocationInfo><Scale>16</Scale><Poi><Event>SCAN</Event></Poi></SendLocationInfo></xml>",
    )
    assert isinstance(event(body), Other)
    assert "SendLocationInfo" not in read(body).fields
    nested = as_json(**pushed("location_select", "k"), SendLocationInfo={"Event": "SCAN", "a": [{"b": 1}]})
    assert isinstance(event(nested), Other)


@pytest.mark.parametrize("created", [1700000000, "1700000000", " 1700000000 "])
def test_create_time_is_a_number_or_a_string(created: str | int) -> None:
    assert event(as_json(**pushed("SCAN", "x"), CreateTime=created)).created == 1700000000


def test_a_number_may_stand_for_a_scene() -> None:
    told = event(as_json(MsgType="event", Event="SCAN", EventKey=123))
    assert isinstance(told, Scan)
    assert told.scene == "123"


@pytest.mark.parametrize("name", ["FromUserName", "ToUserName", "CreateTime", "MsgType"])
def test_what_every_push_has_must_be_there(name: str) -> None:
    fields = dict(read(as_xml(**pushed("SCAN", "x"))).fields)
    del fields[name]
    with pytest.raises(Malformed):
        understand(fields)


@WRITERS
@pytest.mark.parametrize("name", ["FromUserName", "ToUserName", "CreateTime", "MsgType"])
@pytest.mark.parametrize("value", ["", " "])
def test_what_every_push_has_must_not_be_blank(write: Callable[..., bytes], name: str, value: str) -> None:
    with pytest.raises(Malformed):
        event(write(**{**pushed("SCAN", "x"), name: value}))


@WRITERS
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FromUserName", "o9AgO5 Kd5"),
        ("FromUserName", "o" * 65),
        ("FromUserName", "o9<b>"),
        ("FromUserName", "ö9AgO5"),
        ("ToUserName", "gh_\n1"),
        ("ToUserName", "g" * 65),
        ("CreateTime", "now"),
        ("CreateTime", "0"),
        ("CreateTime", "01"),
        ("CreateTime", "1e3"),
        ("CreateTime", "0x1"),
        ("CreateTime", "+1"),
        ("CreateTime", "-1"),
        ("CreateTime", "1_700"),
        ("CreateTime", "١٧٠٠"),
        ("CreateTime", "17000000000"),
    ],
)
def test_ids_and_times_have_their_form(write: Callable[..., bytes], name: str, value: str) -> None:
    with pytest.raises(Malformed):
        event(write(**pushed("SCAN", "x", **{name: value})))


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    b"<xml><MsgType>&b;</MsgType></xml>"
)

UNREADABLE = {
    "nothing": b"",
    "blank": b" \n",
    "a word": b"success",
    "a form": b"a=b&c=d",
    "a list": b"[1]",
    "xml cut short": as_xml()[:-3],
    "xml and more": as_xml() + b"<more/>",
    "another root": b"<html></html>",
    "root in another case": b"<XML></XML>",
    "an element twice": b"<xml><Event>SCAN</Event><Event>VIEW</Event></xml>",
    "a nested element's namesake twice": b"<xml><Event><a/></Event><Event>VIEW</Event></xml>",
    "entities": BOMB,
    "a dtd alone": b"<!DOCTYPE xml><xml></xml>",
    "a dtd after the root began": b"<xml><!DOCTYPE xml [<!ENTITY a 'b'>]><Event>&a;</Event></xml>",
    "a dtd after the root": b"<xml></xml><!DOCTYPE xml>",
    "an external entity": b'<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><b>&a;</b></xml>',
    "an undefined entity": b"<xml><b>&nbsp;</b></xml>",
    "xml in utf-16": "<xml></xml>".encode("utf-16"),
    "json cut short": b'{"a":1',
    "json and more": b"{} {}",
    "a control character in a tag": b"<xml><a\x01>b</a\x01></xml>",
    "a control character between json's strings": b'{"a"\x01:"b"}',
    "a root of another namespace": b'<xml xmlns="urn:x"></xml>',
    "a leading zero": b'{"a":01}',
    "a key twice": b'{"Event":"SCAN","Event":"VIEW"}',
    "a nested key twice": b'{"a":{"b":1,"b":2}}',
    "NaN": b'{"a":NaN}',
    "a number of 9000 digits": b'{"a":' + b"9" * 9000 + b"}",
    "deep json": b'{"a":' + b"[" * 60000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


@pytest.mark.parametrize("value", [True, None, 1.5, 1e3, 0, -1, [], {}])
def test_other_json_values_are_as_good_as_missing(value: object) -> None:
    with pytest.raises(Malformed):
        event(as_json(**pushed("SCAN", "x"), CreateTime=value))


@pytest.mark.parametrize("value", [True, None, 1.5, ["x"], {"x": 1}])
def test_other_json_values_are_no_scene(value: object) -> None:
    assert isinstance(event(as_json(MsgType="event", Event="SCAN", EventKey=value)), Other)


def test_deep_xml_is_survived() -> None:
    body = as_xml(**pushed("SCAN", "x")).replace(b"</xml>", b"<a>" * 8000 + b"</a>" * 8000 + b"</xml>")
    assert isinstance(event(body), Scan)


def test_a_body_that_begins_with_its_root_is_read_like_one_with_a_prolog() -> None:
    body = as_xml(Content="<!DOCTYPE xml>&lt;").replace(b"</xml>", b"<a>b<c/></a><!-- d --><e>&#50;&lt;</e></xml>")
    assert read(body) == read(b"<?xml version='1.0'?>" + body)


@given(junk=st.one_of(st.binary(), st.binary().map(lambda raw: b"<xml>" + raw), st.text().map(str.encode)))
def test_no_junk_escapes_as_another_error(junk: bytes) -> None:
    with pytest.raises(Malformed):
        event(junk)


def key(**fields: str) -> str:
    return event(as_xml(**fields)).key


def test_a_redelivery_has_the_same_key() -> None:
    assert key(**pushed("SCAN", "x")) == key(**pushed("SCAN", "x"))
    assert key(**pushed("SCAN", "x")) == event(as_json(**pushed("SCAN", "x"))).key
    said = {"MsgType": "text", "Content": "47", "MsgId": "6054768590064713728"}
    assert key(**said) == event(as_json(**{**said, "MsgId": 6054768590064713728})).key


def test_two_pushes_have_two_keys() -> None:
    said = {"MsgType": "text", "Content": "47"}
    keys = [
        key(**pushed("SCAN", "x")),
        key(**pushed("SCAN", "y")),
        key(**pushed("SCAN", "x"), CreateTime="1700000001"),
        key(**pushed("SCAN", "x"), FromUserName="o_another"),
        key(**pushed("subscribe", "qrscene_x")),
        key(**pushed("subscribe", "x")),
        *(key(**pushed("TEMPLATESENDJOBFINISH", "", MsgID=one)) for one in ("", "1", "2")),
        key(**said, MsgId="1"),
        key(**said, MsgId="2"),
        key(**{**said, "Content": "48"}, MsgId="1"),
        key(**said, MsgId="1", FromUserName="o_another"),
        key(**said),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "body",
    [
        b"<xml><ToUserName><![CDATA[gh]]></ToUserName><Encrypt><![CDATA[a+/=]]></Encrypt></xml>",
        b"<xml><Encrypt>a+/=</Encrypt></xml>",
        b"\xef\xbb\xbf \n<xml>\r\n<Encrypt >\r\n<![CDATA[\n a+/= \n]]>\n</Encrypt >\n</xml>\n",
        b"<xml><Encrypt>\n a+/=\n</Encrypt></xml>",
        b'{"ToUserName":"gh","Encrypt":"a+/="}',
        b' {\n"Encrypt" : "a+\\/=" }',
        b'{"Encrypt":"\\u0061\\u002b/= "}',
        b'{"Content":"\\"Encrypt\\":\\"b\\"","Encrypt":"a+/="}',
    ],
)  # fmt: skip
def test_what_is_sealed_is_found_without_reading_and_as_it_is_read(body: bytes) -> None:
    """Red for each form that `sealed_values` does not know."""
    read_ = read(body).fields["Encrypt"]
    assert list(sealed_values(body)) == [str(read_).strip()] == ["a+/="]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"<xml/>", b"{}", b"<xml><Encrypt></Encrypt></xml>", b"<xml><Encrypt/></xml>",
        b"<xml><Encrypted>a</Encrypted></xml>", b"<xml><encrypt>a</encrypt></xml>",
        b"<xml><Encrypt> </Encrypt></xml>",
        b'{"Encrypt":""}', b'{"Encrypt":1}', b'{"Encrypt":"\\x"}', b'{"Encrypt":"\xff"}', b'{"Encrypt":"a',
        b'{"a":"Encrypt"}', b'{"Encrypt":["a"]}', b'<xml>"Encrypt":"a"</xml>', b'{"a":"<Encrypt>a</Encrypt>"}',
    ],
)  # fmt: skip
def test_what_is_no_encrypt_is_not_taken_for_one(body: bytes) -> None:
    """Red when an empty value counts: of that, `signature` would be the signature."""
    assert list(sealed_values(body)) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "part",
    [
        b"<Encrypt>", b"<Encrypt><![CDATA[", b"<Encrypt><![CDATA[a]", b"<Encrypt ", b"<Encrypt>a",
        b"<Encrypt></Encrypt ",
        b"<!--", b"<![CDATA[", b"<", b" ", b"a", b"]]>",
        b'"Encrypt"', b'"Encrypt":', b'"Encrypt" : ', b'\\"Encrypt":"',
        b'"Encrypt":"\\', b"\\", b'\\"', b'"', b"{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", [b"<xml>", b"{", b'{"Encrypt":"', b"<xml><Encrypt>", b"<xml><Encrypt><![CDATA["])
def test_looking_takes_as_long_as_the_body_is_and_no_longer(head: bytes, part: bytes) -> None:
    """Red, after a minute, when a try reads on past the next beginning: with `.*?` in the place of `[^\\]<]*+`.

    The bodies are far longer than any that is let in, so that a time that grew with their square would be hours.
    """
    for _ in sealed_values(head + part * (4_000_000 // len(part))):
        pass
