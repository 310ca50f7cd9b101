"""Replies that WeChat accepts, and why it rejects others (wechat-protocol.md 3.4)."""

from dataclasses import replace
from typing import Any

import pytest

from sandbox.account import OfficialAccount
from sandbox.crypto import Sealer, sign
from sandbox.push_format import Fields, write
from sandbox.replies import BadReply, Question, judge

NONCE = "415670741"
OPENID = "oPerson"


@pytest.fixture
def plain(account: OfficialAccount) -> Question:
    return Question(replace(account, mode="plain"), OPENID, NONCE)


@pytest.fixture
def safe(account: OfficialAccount) -> Question:
    return Question(account, OPENID, NONCE)


def text(to: Question, **changes: str | int) -> Fields:
    return {
        "ToUserName": OPENID,
        "FromUserName": to.account.gh_id,
        "CreateTime": 12345678,
        "MsgType": "text",
        "Content": "ok",
        **changes,
    }


def sealed(to: Question, message: bytes, *, appid: str | None = None, **changes: str | int) -> Fields:
    account = to.account
    encrypted = Sealer.of(account.aes_key, appid=appid or account.appid).seal(message)
    return {
        "Encrypt": encrypted,
        "MsgSignature": sign(account.token, "1713424427", NONCE, encrypted),
        "TimeStamp": 1713424427,
        "Nonce": NONCE,
        **changes,
    }


@pytest.mark.parametrize("body", [b"", b"success"])
def test_nothing_to_say_is_fine_in_every_mode(plain: Question, safe: Question, body: bytes) -> None:
    assert judge(body, to=plain) is None
    assert judge(body, to=safe) is None
    assert judge(body, to=replace(plain, answerable=False)) is None


@pytest.mark.parametrize("fmt", ["xml", "json"])
def test_a_good_reply_is_shown(plain: Question, safe: Question, fmt: Any) -> None:
    clear = replace(plain, account=replace(plain.account, format=fmt))
    closed = replace(safe, account=replace(safe.account, format=fmt))
    assert judge(write(text(clear, Content="好 ]]> &"), fmt), to=clear) == "好 ]]> &"
    assert judge(write(sealed(closed, write(text(closed), fmt)), fmt), to=closed) == "ok"


def test_compatible_mode_takes_both(safe: Question) -> None:
    to = replace(safe, account=replace(safe.account, mode="compatible"))
    inside = write(text(to), "xml")
    assert judge(inside, to=to) == judge(write(sealed(to, inside), "xml"), to=to) == "ok"


def test_what_is_not_text_is_named(plain: Question) -> None:
    assert judge(write(text(plain, MsgType="news"), "xml"), to=plain) == "[news]"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ToUserName": "gh_0123456789ab"}, "ToUserName"),
        ({"FromUserName": "wx0123456789abcdef"}, "FromUserName"),
        ({"CreateTime": "now"}, "CreateTime"),
        ({"MsgType": "poem"}, "MsgType"),
        ({"Content": ""}, "Content"),
        ({"Content": " \n"}, "Content"),
    ],
)
def test_a_bad_message_is_faulty(plain: Question, changes: Any, why: str) -> None:
    with pytest.raises(BadReply, match=why):
        judge(write(text(plain, **changes), "xml"), to=plain)


@pytest.mark.parametrize("body", [b"ok", b"success\n", b'"success"', b'{"errcode":0}', b"<xml>", b"<html></html>"])
def test_anything_else_is_faulty(plain: Question, body: bytes) -> None:
    with pytest.raises(BadReply):
        judge(body, to=plain)


def test_xml_is_faulty_where_json_is_due(plain: Question) -> None:
    to = replace(plain, account=replace(plain.account, format="json"))
    with pytest.raises(BadReply, match="JSON"):
        judge(write(text(to), "xml"), to=to)


def test_safe_mode_demands_ciphertext(safe: Question) -> None:
    with pytest.raises(BadReply, match="in the clear"):
        judge(write(text(safe), "xml"), to=safe)


def test_plain_mode_takes_no_ciphertext(plain: Question) -> None:
    with pytest.raises(BadReply, match="plain mode"):
        judge(write(sealed(plain, write(text(plain), "xml")), "xml"), to=plain)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"MsgSignature": "0" * 40}, "MsgSignature"),
        ({"MsgSignature": "ü"}, "MsgSignature"),
        ({"TimeStamp": "now"}, "TimeStamp"),
        ({"Nonce": "1"}, "Nonce"),
    ],
)
def test_a_bad_envelope_is_faulty(safe: Question, changes: Any, why: str) -> None:
    with pytest.raises(BadReply, match=why):
        judge(write(sealed(safe, write(text(safe), "xml"), **changes), "xml"), to=safe)


def test_an_envelope_lacking_a_part_is_faulty(safe: Question) -> None:
    envelope = dict(sealed(safe, write(text(safe), "xml")))
    del envelope["Nonce"]
    with pytest.raises(BadReply, match="lacks Nonce"):
        judge(write(envelope, "xml"), to=safe)


def test_another_appid_inside_is_faulty(safe: Question) -> None:
    with pytest.raises(BadReply, match="appid"):
        judge(write(sealed(safe, write(text(safe), "xml"), appid="wxother"), "xml"), to=safe)


def test_json_inside_an_xml_envelope_is_faulty(safe: Question) -> None:
    with pytest.raises(BadReply, match="not XML"):
        judge(write(sealed(safe, write(text(safe), "json")), "xml"), to=safe)


def test_an_unsubscribe_cannot_be_answered(plain: Question) -> None:
    with pytest.raises(BadReply, match="unsubscribe"):
        judge(write(text(plain), "xml"), to=replace(plain, answerable=False))
