"""Pushes in three modes and two formats, and forged ones (wechat-protocol.md 3.2, 3.3)."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sandbox.account import OfficialAccount
from sandbox.crypto import BadCipher, Sealer, sign
from sandbox.envelope import Request, wrap
from sandbox.errors import Impossible
from sandbox.faults import NEEDS_ENCRYPTION, Fault
from sandbox.push_format import read, write

PUSH = {
    "ToUserName": "gh_x",
    "FromUserName": "oPerson",
    "CreateTime": 1700000000,
    "MsgType": "event",
    "Event": "SCAN",
}


@pytest.fixture(params=["xml", "json"])
def fmt(request: pytest.FixtureRequest) -> Any:
    return request.param


def wrapped(account: OfficialAccount, *, fault: Fault | None = None, **changes: Any) -> Request:
    return wrap(PUSH, replace(account, **changes), now=1700000001.9, fault=fault)


def is_signed(request: Request, token: str) -> bool:
    query = request.query
    return query.get("signature") == sign(token, query["timestamp"], query["nonce"])


def test_plain_push_is_in_the_clear_and_has_no_openid(account: OfficialAccount, fmt: Any) -> None:
    request = wrapped(account, mode="plain", format=fmt)
    assert request.body == write(PUSH, fmt)
    assert set(request.query) == {"signature", "timestamp", "nonce"}
    assert request.query["timestamp"] == "1700000001"
    assert is_signed(request, account.token)


@pytest.mark.parametrize("mode", ["safe", "compatible"])
def test_encrypted_push_is_signed_over_what_is_encrypted(account: OfficialAccount, fmt: Any, mode: str) -> None:
    request = wrapped(account, mode=mode, format=fmt)
    fields = read(request.body, fmt)
    query = request.query
    assert is_signed(request, account.token)
    assert (query["encrypt_type"], query["openid"]) == ("aes", "oPerson")
    assert query["msg_signature"] == sign(account.token, query["timestamp"], query["nonce"], fields["Encrypt"])
    opened = Sealer.of(account.aes_key, appid=account.appid).open(fields["Encrypt"])
    assert opened == write(PUSH, fmt)
    outside = set(PUSH) if mode == "compatible" else {"ToUserName"}
    assert set(fields) == {*outside, "Encrypt"}


def test_json_push_is_json_with_a_number_for_its_time(account: OfficialAccount) -> None:
    request = wrapped(account, mode="plain", format="json")
    assert json.loads(request.body) == PUSH
    assert request.content_type == "application/json"


def test_unsigned_push_lacks_both_signatures(account: OfficialAccount) -> None:
    request = wrapped(account, fault=Fault.UNSIGNED)
    assert not {"signature", "msg_signature"} & set(request.query)


def test_wrong_token_signs_wrongly(account: OfficialAccount) -> None:
    assert not is_signed(wrapped(account, fault=Fault.WRONG_TOKEN), account.token)


@pytest.mark.parametrize("fault", [Fault.WRONG_KEY, Fault.WRONG_APPID])
def test_wrong_key_or_appid_is_signed_well_and_does_not_open(account: OfficialAccount, fault: Fault) -> None:
    request = wrapped(account, fault=fault)
    query, encrypted = request.query, read(request.body, "xml")["Encrypt"]
    assert query["msg_signature"] == sign(account.token, query["timestamp"], query["nonce"], encrypted)
    with pytest.raises(BadCipher):
        Sealer.of(account.aes_key, appid=account.appid).open(encrypted)


def test_plaintext_in_safe_mode_carries_a_good_signature(account: OfficialAccount) -> None:
    request = wrapped(account, fault=Fault.PLAINTEXT)
    assert request.body == write(PUSH, "xml")
    assert is_signed(request, account.token)


@pytest.mark.parametrize("fault", sorted(NEEDS_ENCRYPTION))
def test_a_plain_account_has_no_encryption_to_play_with(account: OfficialAccount, fault: Fault) -> None:
    with pytest.raises(Impossible):
        wrapped(account, mode="plain", fault=fault)
