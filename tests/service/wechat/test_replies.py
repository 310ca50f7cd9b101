"""The documented encrypted reply, byte for byte."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from defusedxml.ElementTree import fromstring

from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.replies import sealed

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
