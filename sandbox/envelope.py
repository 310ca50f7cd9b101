"""Builds the signed HTTP request of a push (wechat-protocol.md 3.2, 3.3, 3.5)."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.account import OfficialAccount
from sandbox.crypto import Sealer, sign
from sandbox.errors import Impossible
from sandbox.faults import NEEDS_ENCRYPTION, Fault
from sandbox.push_format import Fields, write

CONTENT_TYPES: Final = {"xml": "text/xml", "json": "application/json"}
_WRONG_TOKEN: Final = "notthetoken"  # noqa: S105 - a wrong token, for forgeries
_WRONG_KEY: Final = base64.b64encode(b"not the key of this account at all"[:32]).decode().rstrip("=")
_WRONG_APPID: Final = "wx0000000000000000"


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a push; each redelivery is identical."""

    query: Mapping[str, str]
    body: bytes
    content_type: str

    @property
    def nonce(self) -> str:
        return self.query["nonce"]


def wrap(fields: Fields, account: OfficialAccount, *, now: float, fault: Fault | None = None) -> Request:
    """Return the request of a push in the account's mode, or a request forged according to `fault`.

    Raises Impossible when the fault needs encryption and the account is in plain mode.
    """
    if account.mode == "plain" and fault in NEEDS_ENCRYPTION:
        raise Impossible(f"{fault} needs an account in safe or compatible mode")
    token = _WRONG_TOKEN if fault is Fault.WRONG_TOKEN else account.token
    stamp, nonce = str(int(now)), str(secrets.randbelow(9 * 10**8) + 10**8)
    query = {"signature": sign(token, stamp, nonce), "timestamp": stamp, "nonce": nonce}
    body = write(fields, account.format)
    if account.mode != "plain" and fault is not Fault.PLAINTEXT:
        encrypted = _sealer(account, fault).seal(body)
        query |= {"openid": str(fields["FromUserName"]), "encrypt_type": "aes"}
        query["msg_signature"] = sign(token, stamp, nonce, encrypted)
        outside = fields if account.mode == "compatible" else {"ToUserName": fields["ToUserName"]}
        body = write({**outside, "Encrypt": encrypted}, account.format)
    if fault is Fault.UNSIGNED:
        query = {name: value for name, value in query.items() if "signature" not in name}
    return Request(query, body, CONTENT_TYPES[account.format])


def _sealer(account: OfficialAccount, fault: Fault | None) -> Sealer:
    return Sealer.of(
        _WRONG_KEY if fault is Fault.WRONG_KEY else account.aes_key,
        appid=_WRONG_APPID if fault is Fault.WRONG_APPID else account.appid,
    )
