"""Accounts of each kind have credentials of their own and may do what WeChat lets them do.

Red when two accounts share an appid, when an account may do more or less, and when a kind is not the first.
"""

from typing import Any

import pytest

from sandbox.app import make_app
from sandbox.emulator import Sandbox
from sandbox.kinds import Kind, default_emulated

EMULATED = default_emulated("http://a.test/wechat/main")


def test_no_two_share_a_credential() -> None:
    accounts, websites, programs, corps = EMULATED
    secrets = [one.secret for one in (*accounts, *websites, *programs, *corps)]
    appids = [one.appid for one in (*accounts, *websites, *programs, *corps)]
    for values in (secrets, appids, [one.gh_id for one in accounts], [one.token for one in accounts]):
        assert len(set(values)) == len(values)


def test_pushes_of_each_account_have_an_address_of_their_own() -> None:
    paths = [account.callback_url for account in EMULATED.accounts]
    assert paths == [f"http://a.test/wechat/{name}" for name in ("main", "test", "personal")]


@pytest.mark.parametrize(
    ("kind", "first"),
    [("all", "service"), ("test", "test"), ("personal", "personal"), ("website", "service")],
    ids=["all", "test", "personal", "website"],
)
def test_the_account_of_the_kind_is_the_first(kind: Kind, first: str) -> None:
    led = EMULATED.led_by(kind)
    assert led.accounts[0].kind == first
    assert sorted(led.accounts, key=str) == sorted(EMULATED.accounts, key=str)


@pytest.mark.parametrize("kind", ["service", "test", "personal"])
async def test_only_a_personal_account_is_refused_its_calls(aiohttp_client: Any, kind: Kind) -> None:
    [account] = EMULATED.of(kind).accounts
    client = await aiohttp_client(make_app([account], public_url="http://phone.test"))
    asked = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}
    token = await (await client.post("/cgi-bin/stable_token", json=asked)).json()
    may = {"access_token": token["access_token"]}
    body = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "abc"}}}
    made = await client.post("/cgi-bin/qrcode/create", params=may, json=body)
    told = await client.get("/cgi-bin/user/info", params={**may, "openid": "oUnknown"})
    refused = [(await answer.json()).get("errcode") == 48001 for answer in (made, told)]
    assert refused == [kind == "personal"] * 2


def test_the_camera_sees_the_own_code_of_the_personal_account_alone() -> None:
    sandbox = Sandbox(EMULATED.accounts, public_url="http://phone.test")
    [personal] = EMULATED.of("personal").accounts
    assert [code.id for code in sandbox.codes()] == [personal.gh_id]
