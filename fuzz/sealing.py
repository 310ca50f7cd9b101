"""Encrypts and signs fuzzed bodies with the accounts' keys, as WeChat does (wechat-protocol.md 3.2)."""

import re
import time
from dataclasses import replace
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from fuzz.case import Case
from fuzz.config import ACCOUNTS
from sandbox.account import OfficialAccount
from sandbox.crypto import Sealer, sign
from sandbox.push_format import Fields, write

_WAY: Final = re.compile(rb"\$(sealed|stamped|signed)_(safe|compatible|plain)\$")
_NONCE: Final = "123456789"


def sealed(case: Case) -> Case:
    """Return *case* with the signed query that it names, computed for its body.

    For the account safe: `$sealed_safe$` encrypts the body and signs the ciphertext; `$stamped_safe$` signs the
    body as if it were the ciphertext; `$signed_safe$` signs only the query.
    """
    match = _WAY.search(case.target)
    if match is None:
        return case
    way, account = match[1].decode(), ACCOUNTS[match[2].decode()]
    query, body = _pushed(way, account, case.body)
    return replace(case, target=case.target.replace(match[0], urlencode(query).encode(), 1), body=body)


def proves(case: Case) -> bool:
    """Return whether *case*, before `sealed`, becomes a push with a valid signature for its account."""
    match = _WAY.search(case.target)
    if match is None or case.method != b"POST":
        return False
    path = unquote(urlsplit(case.address.decode("latin-1")).path)
    signed = match[1] == b"sealed" or match[2] == b"plain"  # the body of a plain account is not signed
    return signed and path == f"/wechat/{match[2].decode()}"


def push(account: str, fields: Fields) -> Case:
    """Return the encrypted push with these fields."""
    return sealed(Case(b"POST", b"/wechat/%b?$sealed_%b$" % ((account.encode(),) * 2), (), write(fields, "xml")))


def _pushed(way: str, account: OfficialAccount, body: bytes) -> tuple[dict[str, str], bytes]:
    stamp = str(int(time.time()))
    query = {"signature": sign(account.token, stamp, _NONCE), "timestamp": stamp, "nonce": _NONCE}
    if way == "signed":
        return query, body
    if way == "sealed":
        encrypt = Sealer.of(account.aes_key, appid=account.appid).seal(body)
    else:
        encrypt = body.decode("utf-8", "replace")
    query |= {"encrypt_type": "aes", "msg_signature": sign(account.token, stamp, _NONCE, encrypt)}
    outside = {"ToUserName": account.gh_id, "Encrypt": encrypt}
    return query, write(outside, "json" if body.lstrip().startswith(b"{") else "xml")
