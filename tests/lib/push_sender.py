"""Pushes as WeChat signs and encrypts them."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from models.events import Scan
from service.wechat.envelope import Envelope
from service.wechat.parsing import Format
from service.wechat.push_account import Delivery, Mode, PushAccount
from service.wechat.signature import sign

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APPID = "wx0123456789abcdef"
NEW, OLD, OTHER = "N" * 43, "O" * 43, "X" * 43
SAFE = PushAccount("main", APPID, ("token",), (NEW,))
COMPATIBLE = replace(SAFE, mode=Mode.COMPATIBLE)
PLAIN = PushAccount("main", APPID, ("token",), mode=Mode.PLAIN)

HEAD = {"ToUserName": "gh_me", "FromUserName": "o_person", "CreateTime": "1700000000", "MsgType": "event"}
SCAN = {**HEAD, "Event": "SCAN", "EventKey": "bind_x"}


def written(fields: dict[str, str], form: Format) -> str:
    if form is Format.JSON:
        return json.dumps(fields)
    return f"<xml>{''.join(f'<{k}><![CDATA[{v}]]></{k}>' for k, v in fields.items())}</xml>"


@dataclass
class Sender:
    """WeChat, sending one push; its attributes say how."""

    token: str = "token"
    key: str = NEW
    appid: str = APPID
    form: Format = Format.XML
    nonce: str = "nonce_1"
    timestamp: str = "1700000001"

    def plain(self, fields: dict[str, str] = SCAN) -> tuple[dict[str, str], bytes]:
        return self.stamp(), written(fields, self.form).encode()

    def sealed(
        self, fields: dict[str, str] = SCAN, *, beside: dict[str, str] | None = None
    ) -> tuple[dict[str, str], bytes]:
        encrypt = Envelope.of(self.key, appid=self.appid).seal(written(fields, self.form).encode())
        outer = {"ToUserName": "gh_me", **(beside or {}), "Encrypt": encrypt}
        return self.stamp(encrypt), written(outer, self.form).encode()

    def stamp(self, encrypt: str | None = None) -> dict[str, str]:
        parts = (self.token, self.timestamp, self.nonce)
        query = {"signature": sign(*parts), "timestamp": self.timestamp, "nonce": self.nonce}
        if encrypt is None:
            return query
        return {**query, "encrypt_type": "aes", "msg_signature": sign(*parts, encrypt)}


def scene(delivery: Delivery) -> str:
    assert isinstance(delivery.event, Scan)
    return delivery.event.scene


FORMS = pytest.mark.parametrize("form", list(Format))
