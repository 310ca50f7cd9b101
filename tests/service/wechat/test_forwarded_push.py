"""A push that is passed on has WeChat's signatures and encryption, as wechatpy reads them."""

import json
from datetime import UTC, datetime

import pytest
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

from service.wechat.envelope import Envelope
from service.wechat.forwarded_push import ForwardTarget, forwarded, heard, verification
from service.wechat.parsing import Format

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APPID, KEY = "wx0123456789abcdef", "k" * 43
SAFE = ForwardTarget("http://127.0.0.1/", "token", Format.XML, Envelope.of(KEY, appid=APPID))
PLAIN = ForwardTarget("http://127.0.0.1/", "token", Format.XML)
PICTURES = (
    b"<xml><ToUserName><![CDATA[gh_me]]></ToUserName><FromUserName><![CDATA[o_person]]></FromUserName>"
    b"<CreateTime>1700000000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[pic_weixin]]></Event>"
    b"<SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[a]]></PicMd5Sum></item></PicList>"
    b"</SendPicsInfo></xml>"
)


def test_wechatpy_reads_a_push_in_safe_mode() -> None:
    push = forwarded(heard(PICTURES), SAFE, now=NOW)
    query = push.query
    check_signature("token", query["signature"], query["timestamp"], query["nonce"])
    crypto = WeChatCrypto("token", KEY, APPID)
    message = crypto.decrypt_message(push.body, query["msg_signature"], query["timestamp"], query["nonce"])
    assert message.encode() == PICTURES
    assert (query["openid"], query["encrypt_type"]) == ("o_person", "aes")
    assert query["timestamp"] == str(int(NOW.timestamp()))


def test_a_push_in_json_is_encrypted_json() -> None:
    envelope = SAFE.envelope
    assert envelope
    push = forwarded(heard(PICTURES), ForwardTarget("http://h/", "token", Format.JSON, envelope), now=NOW)
    outer = json.loads(push.body)
    assert outer.keys() == {"ToUserName", "Encrypt"}
    assert json.loads(envelope.open(outer["Encrypt"]))["Event"] == "pic_weixin"


def test_no_two_have_the_same_nonce() -> None:
    assert len({forwarded(heard(PICTURES), PLAIN, now=NOW).query["nonce"] for _ in range(20)}) == 20


def test_what_is_nested_is_converted_as_well() -> None:
    push = forwarded(heard(PICTURES), ForwardTarget("http://h/", "token", Format.JSON), now=NOW)
    told = json.loads(push.body)
    assert told["SendPicsInfo"] == {"Count": "1", "PicList": [{"PicMd5Sum": "a"}]}
    assert (told["CreateTime"], push.content_type) == (1700000000, "application/json")


@pytest.mark.parametrize(
    ("kind", "event", "name", "message"),
    [("text", "", "text", True), ("event", "SCAN", "scan", False), ("Event", "CLICK", "click", False)],
)
def test_a_push_is_known_by_its_type_or_event(kind: str, event: str, name: str, *, message: bool) -> None:
    push = heard(json.dumps({"FromUserName": "o", "MsgType": kind, "Event": event}).encode())
    assert (push.name, push.is_message) == (name, message)


def test_a_verification_is_signed_as_by_the_console() -> None:
    query = verification(PLAIN, now=NOW)
    check_signature("token", query["signature"], query["timestamp"], query["nonce"])
    assert query["echostr"].isdigit()
