"""Replies: the documented encrypted one, byte for byte, and texts, read as wechatpy's are.

Red when a text is not split at `]]>`.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from wechatpy.replies import TextReply

from models.events import OpenId, Other
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format, read
from service.wechat.replies import sealed, text_message

Sample = Callable[[str], dict[str, Any]]


def test_the_official_answer_is_ours(sample: Sample) -> None:
    push = sample("official_safe_json")
    given, reply = push["account"], push["reply"]
    expected = {
        "Encrypt": reply["encrypt"],
        "MsgSignature": reply["msg_signature"],
        "TimeStamp": reply["timestamp"],
        "Nonce": reply["nonce"],
    }

    def ours(form: Format) -> bytes:
        return sealed(
            reply["message"].encode(),
            envelope=Envelope.of(given["aes_key"], appid=given["appid"]),
            token=given["token"],
            nonce=reply["nonce"],
            form=form,
            now=datetime.fromtimestamp(reply["timestamp"], tz=UTC),
            random=reply["random"].encode(),
        )

    assert json.loads(ours(Format.JSON)) == expected
    as_text = {name: str(value) for name, value in expected.items()}
    assert {child.tag: child.text for child in fromstring(ours(Format.XML))} == as_text


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("text", ["登录成功", "{site} & <b>\n", "]]></Content><MsgType>x</MsgType>]]>]"])
def test_a_text_message_has_the_fields_of_wechatpy_s(form: Format, text: str) -> None:
    to, now = Other(openid=OpenId("o_anna"), gh_id="gh_1", created=1, key="k"), datetime.now(UTC)
    theirs = TextReply(target=to.openid, source=to.gh_id, time=int(now.timestamp()), content="")
    ours = read(text_message(text, to=to, form=form, now=now)).fields
    expected = {**read(theirs.render().encode()).fields, "Content": text}
    assert {name: str(value) for name, value in ours.items()} == expected
