"""Which answers of a target are replies to this person, and what becomes of them.

Red when a check of signature, time, key, addressee, type or content is left out.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wechatpy.crypto import WeChatCrypto

from models.events import OpenId, TextMessage
from service.wechat.envelope import Envelope
from service.wechat.forwarded_push import ForwardTarget
from service.wechat.message_tree import read_tree
from service.wechat.parsing import Format
from service.wechat.relayed_reply import TO_CUSTOMER_SERVICE, Relayed, Unusable, read_reply, written
from service.wechat.signature import sign

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APPID, KEY = "wx0123456789abcdef", "k" * 43
SAFE = ForwardTarget("http://h/", "token", Format.XML, Envelope.of(KEY, appid=APPID))
PLAIN = ForwardTarget("http://h/", "token", Format.XML)
PLAIN_JSON = ForwardTarget("http://h/", "token", Format.JSON)
PUSH = TextMessage(OpenId("o_person"), "gh_me", 1_700_000_000, key="k", text="hi")
HEAD = "<ToUserName>o_person</ToUserName><FromUserName>gh_me</FromUserName><CreateTime>1</CreateTime>"
TEXT = f"<xml>{HEAD}<MsgType>text</MsgType><Content><![CDATA[hello]]></Content></xml>"


def sealed(text: str = TEXT, *, token: str = "token", key: str = KEY, appid: str = APPID, late: float = 0) -> str:
    stamp = str(int((NOW - timedelta(seconds=late)).timestamp()))
    return str(WeChatCrypto(token, key, appid).encrypt_message(text, "nonce", stamp))


def reply(answer: str | bytes, target: ForwardTarget = SAFE) -> Relayed | None:
    body = answer if isinstance(answer, bytes) else answer.encode()
    return read_reply(body, target, to=PUSH, now=NOW, is_answer=lambda text: text == "47")


@pytest.mark.parametrize("answer", ["", "success", " success\n"])
def test_an_acknowledgement_is_no_reply(answer: str) -> None:
    assert reply(answer) is reply(answer, PLAIN) is None


def test_a_text_is_relayed_without_its_addresses() -> None:
    assert reply(sealed()) == reply(TEXT, PLAIN) == Relayed({"MsgType": "text", "Content": "hello"})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param("hello", "is not XML", id="garbage"),
        pytest.param("{}", "is not XML", id="another format"),
        pytest.param("<xml", "is not readable", id="half"),
        pytest.param(b"\xff\xfe<", "is not XML", id="bytes"),
        pytest.param(TEXT, "is not encrypted", id="in the clear"),
        pytest.param(sealed(token="other"), "is not signed", id="another token"),
        pytest.param(sealed().replace("<TimeStamp>1", "<TimeStamp>2"), "is not signed", id="another time"),
        pytest.param(sealed(key="x" * 43), "aes_key", id="another key"),
        pytest.param(sealed(appid="wxfedcba9876543210"), "appid", id="another appid"),
        pytest.param(sealed(late=301), "five minutes", id="old"),
        pytest.param(sealed(late=-301), "five minutes", id="early"),
        pytest.param(sealed(TEXT.replace("o_person", "o_other")), "not addressed", id="another person"),
        pytest.param(sealed(TEXT.replace("gh_me", "gh_other")), "not addressed", id="another account"),
        pytest.param(sealed(TEXT.replace("hello", " ")), "is empty", id="empty"),
        pytest.param(sealed(TEXT.replace(">text<", ">event<")), "MsgType", id="an event"),
        pytest.param(sealed(f"<xml>{HEAD}</xml>"), "MsgType", id="no type"),
        pytest.param(sealed(f"<xml>{HEAD}<MsgType>image</MsgType><Image/></xml>"), "is empty", id="no picture"),
        pytest.param(sealed(f"<xml>{HEAD}<MsgType>news</MsgType></xml>"), "is empty", id="no article"),
        pytest.param(
            sealed(f"<xml>{HEAD}<MsgType>news</MsgType><Articles>x</Articles></xml>"), "no list", id="no list"
        ),
        pytest.param(sealed(TEXT.replace("hello", f"&#{'9' * 5000}")), "reference", id="a reference without end"),
        pytest.param(
            sealed(TEXT.replace("<![CDATA[hello]]>", "<a>weixin://biz</a><b>msgmenu?msgmenucontent=47</b>")),
            "elements where a text belongs",
            id="a link in two elements",
        ),
        pytest.param(
            sealed(
                f"<xml>{HEAD}<MsgType>news</MsgType><Articles><item><Url><a>weixin://biz</a>"
                "<b>msgmenu?msgmenucontent=47</b></Url></item></Articles></xml>"
            ),
            "elements where a text belongs",
            id="an address in two elements",
        ),
    ],
)
def test_what_is_no_reply_to_this_person_is_refused(answer: str | bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why) as refused:
        reply(answer)
    assert "o_" not in str(refused.value)


def test_an_encrypted_answer_in_plain_mode_is_refused() -> None:
    with pytest.raises(Unusable, match="mode is plain"):
        reply(sealed(), PLAIN)


def test_a_clock_that_differs_by_minutes_is_tolerated() -> None:
    assert reply(sealed(late=299)) == reply(sealed(late=-299)) == reply(sealed())


BARE = "weixin://bizmsgmenu?msgmenucontent=47"
LINK = '<a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=1">{}</a>'


@pytest.mark.parametrize(
    "inside",
    [
        f"<MsgType>text</MsgType><Content><![CDATA[tap {LINK.format('here')}]]></Content>",
        f"<MsgType>news</MsgType><Articles><item><Url>{BARE}</Url><Description>{BARE}</Description></item></Articles>",
        f"<MsgType>video</MsgType><Video><MediaId>m</MediaId><Title><![CDATA[{LINK.format('t')}]]></Title></Video>",
        f"<MsgType>text</MsgType><Content>x</Content><Other><![CDATA[{LINK.format('o')}]]></Other>",
    ],
    ids=["text", "news", "video", "unknown field"],
)
def test_no_field_of_a_reply_has_a_link_that_answers(inside: str) -> None:
    relayed = reply(f"<xml>{HEAD}{inside}</xml>", PLAIN)
    assert relayed
    assert "msgmenu" not in json.dumps(relayed.fields)


def test_a_reply_that_is_nothing_but_such_an_address_is_refused() -> None:
    with pytest.raises(Unusable, match="could answer"):
        reply(TEXT.replace("hello", "weixin://bizmsgmenu?msgmenucontent=47"), PLAIN)


@pytest.mark.parametrize("form", list(Format))
def test_a_reply_is_written_in_the_format_of_the_push(form: Format) -> None:
    articles = "<ArticleCount>9</ArticleCount><Articles><item><Title>A</Title></item></Articles>"
    relayed = reply(f"<xml>{HEAD}<MsgType>news</MsgType>{articles}</xml>", PLAIN)
    assert relayed
    told: Any = read_tree(written(relayed, to=PUSH, form=form, now=NOW))
    assert (told["ToUserName"], told["FromUserName"]) == ("o_person", "gh_me")
    assert (int(told["CreateTime"]), int(told["ArticleCount"])) == (int(NOW.timestamp()), 1)
    assert told["Articles"] == [{"Title": "A"}]


def test_a_target_may_answer_in_json() -> None:
    head = {"ToUserName": "o_person", "FromUserName": "gh_me", "CreateTime": 1}
    answer = json.dumps({**head, "MsgType": "image", "Image": {"MediaId": "m"}})
    assert reply(answer, PLAIN_JSON) == Relayed({"MsgType": "image", "Image": {"MediaId": "m"}})


def test_a_target_may_answer_encrypted_json() -> None:
    target = ForwardTarget("http://h/", "token", Format.JSON, SAFE.envelope)
    assert target.envelope
    head = {"ToUserName": "o_person", "FromUserName": "gh_me", "CreateTime": 1}
    encrypt = target.envelope.seal(json.dumps({**head, "MsgType": "text", "Content": "hello"}).encode())
    stamp = int(NOW.timestamp())
    signature = sign("token", str(stamp), "nonce", encrypt)
    answer = {"Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": stamp, "Nonce": "nonce"}
    assert reply(json.dumps(answer), target) == Relayed({"MsgType": "text", "Content": "hello"})


def test_human_agents_are_called_by_a_type_alone() -> None:
    told = read_tree(written(TO_CUSTOMER_SERVICE, to=PUSH, form=Format.XML, now=NOW))
    assert told["MsgType"] == "transfer_customer_service"
