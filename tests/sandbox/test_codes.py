"""The checks of qrcode/create (wechat-protocol.md 2)."""

import json
from dataclasses import replace

import pytest

from sandbox.account import default_account
from sandbox.codes import LONGEST, Code, CodeBook
from sandbox.errors import Refused

ACCOUNT = default_account("http://127.0.0.1:1/")


def asked(scene: object, *, action: str = "QR_STR_SCENE", seconds: object = 600) -> bytes:
    key = "scene_str" if "STR" in action else "scene_id"
    body = {"action_name": action, "action_info": {"scene": {key: scene}}, "expire_seconds": seconds}
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def create(body: bytes, **changes: object) -> Code:
    return CodeBook(replace(ACCOUNT, **changes)).create(body, public_url="http://phone.test", now=1000)


def test_a_code_carries_its_scene_and_leads_to_the_phone() -> None:
    code = create(asked("bind_x"))
    assert (code.scene, code.lifetime, code.appid) == ("bind_x", 600, ACCOUNT.appid)
    assert code.url.startswith("http://phone.test/q/02")
    assert len(code.ticket) == 96


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (b"{", 47001),
        (b"[]", 47001),
        (b"\xff", 47001),
        (b"{}", 40052),
        (asked("x", action="QR_OTHER"), 40052),
        (b'{"action_name":["QR_SCENE"]}', 40052),
        (b'{"action_name":"QR_STR_SCENE"}', 40053),
        (b'{"action_name":"QR_STR_SCENE","action_info":{"scene":"x"}}', 40053),
        (b'{"action_name":"QR_STR_SCENE","action_info":{"scene":{}}}', 40053),
        (asked(""), 40053),
        (asked("x" * 65), 40053),
        (asked(7), 40053),
        (asked("7", action="QR_SCENE"), 40053),
        (asked(0, action="QR_SCENE"), 40053),
        (asked(True, action="QR_SCENE"), 40053),
        (asked(2**32, action="QR_SCENE"), 40053),
        (asked(100_001, action="QR_LIMIT_SCENE"), 40053),
        (asked("x", seconds=0), 40053),
        (asked("x", seconds="600"), 40053),
    ],
)
def test_what_cannot_be_a_code_is_refused(body: bytes, errcode: int) -> None:
    with pytest.raises(Refused) as refused:
        create(body)
    assert refused.value.errcode == errcode


@pytest.mark.parametrize(("seconds", "lifetime"), [(None, 60), (1, 1), (LONGEST, LONGEST), (LONGEST + 1, LONGEST)])
def test_lifetime_has_a_default_and_a_cap(seconds: int | None, lifetime: int) -> None:
    assert create(asked("x", seconds=seconds)).lifetime == lifetime


def test_a_body_without_the_scene_level_succeeds_and_loses_the_scene() -> None:
    assert create(b'{"action_name":"QR_SCENE","action_info":{"scene_id":7}}').scene == "0"


def test_permanent_codes_never_expire() -> None:
    assert create(asked("x", action="QR_LIMIT_STR_SCENE")).lifetime is None


def test_lenient_accounts_behave_as_was_observed() -> None:
    assert create(asked("x" * 65), strict_scene=False).scene == "x" * 65
    assert create(asked(2**40, action="QR_SCENE"), strict_scene=False).scene == "4294967295"
    with pytest.raises(Refused):
        create(asked("x" * 65, action="QR_LIMIT_STR_SCENE"), strict_scene=False)


def test_an_account_that_is_not_verified_gets_no_code() -> None:
    with pytest.raises(Refused) as refused:
        create(asked("x"), allowed_qr=False)
    assert refused.value.errcode == 48001


def test_codes_have_a_daily_limit() -> None:
    book = CodeBook(replace(ACCOUNT, daily_codes=2))
    for _ in range(2):
        book.create(asked("x"), public_url="", now=0)
    with pytest.raises(Refused) as refused:
        book.create(asked("x"), public_url="", now=0)
    assert refused.value.errcode == 45009
    assert book.create(asked("x"), public_url="", now=86_400)


def test_a_code_is_found_by_its_id_ticket_or_url() -> None:
    book = CodeBook(ACCOUNT)
    old, new = (book.create(asked("x"), public_url="http://phone.test", now=now) for now in (0, 1))
    image = f"https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket={old.ticket}"
    for name in (old.id, old.ticket, old.url, f"http://192.168.1.5:9/q/{old.id}/", f" {old.url}\n", image):
        assert book.find(name) is old
    assert book.find("x") is new
    assert book.find("y") is None


def test_codes_shown_are_the_living_newest_first() -> None:
    book = CodeBook(ACCOUNT)
    for now, seconds in ((0, 10), (1, 600), (2, 600)):
        book.create(asked(f"s{now}", seconds=seconds), public_url="", now=now)
    assert [code.scene for code in book.shown(now=10)] == ["s2", "s1"]
    assert [code.scene for code in book.shown(now=10, limit=1)] == ["s2"]


def test_the_oldest_codes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.codes.KEPT", 2)
    book = CodeBook(ACCOUNT)
    lasting = book.create(asked("p", action="QR_LIMIT_STR_SCENE"), public_url="", now=0)
    codes = [book.create(asked(scene), public_url="", now=1) for scene in ("same", "same", "other")]
    assert book.find(codes[0].ticket) is None
    assert book.find(codes[0].scene) is codes[1]
    assert [book.find(code.ticket) for code in (*codes[1:], lasting)] == [*codes[1:], lasting]
