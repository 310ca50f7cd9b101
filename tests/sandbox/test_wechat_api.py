"""WeChat's HTTP API: status 200 always, errors with a rid (wechat-protocol.md 1, 2, 4)."""

import re
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientError
from aiohttp.test_utils import TestClient

from sandbox.account import OfficialAccount
from sandbox.app import SANDBOX, Sandbox, make_app
from sandbox.faults import MESSAGE_REFUSALS, MessageFault

TEMPORARY = {
    "action_name": "QR_STR_SCENE",
    "action_info": {"scene": {"scene_str": "bind_x"}},
    "expire_seconds": 600,
}


@pytest.fixture
async def client(aiohttp_client: Any, account: OfficialAccount, service: Any, clock: Any) -> Any:
    own = replace(account, callback_url=service.url, mode="plain")
    other = replace(own, appid="wxother", secret="f" * 32)
    return await aiohttp_client(make_app([own, other], public_url="http://phone.test", clock=clock))


@pytest.fixture
def sandbox(client: TestClient) -> Sandbox:
    return client.app[SANDBOX]


async def answer(client: TestClient, method: str, path: str, **how: Any) -> Any:
    response = await client.request(method, f"/cgi-bin/{path}", **how)
    assert response.status == 200
    return await response.json()


@pytest.fixture
async def token(client: TestClient, account: OfficialAccount) -> str:
    asked = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}
    return (await answer(client, "POST", "stable_token", json=asked))["access_token"]


async def test_both_token_endpoints_give_tokens(client: TestClient, account: OfficialAccount) -> None:
    asked = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}
    classic = await answer(client, "GET", "token", params=asked)
    stable = await answer(client, "POST", "stable_token", json=asked)
    assert classic["expires_in"] == stable["expires_in"] == 7200
    assert classic["access_token"] != stable["access_token"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "qrcode/create"), ("GET", "user/info"), ("POST", "message/custom/send")]
)
async def test_an_account_that_is_not_verified_has_no_permissions(
    client: TestClient, sandbox: Sandbox, token: str, method: str, path: str
) -> None:
    state = sandbox.state()
    state.account = replace(state.account, verified=False)
    refused = await answer(client, method, path, params={"access_token": token}, json=TEMPORARY)
    assert refused["errcode"] == 48001
    assert "ip_list" in await answer(client, "GET", "getcallbackip", params={"access_token": token})


@pytest.mark.parametrize(
    ("method", "path", "how", "errcode"),
    [
        ("POST", "token", {}, 43001),
        ("GET", "stable_token", {}, 43002),
        ("POST", "stable_token", {"data": "{"}, 47001),
        ("GET", "token", {"params": {"grant_type": "client_credential"}}, 41002),
        (
            "GET",
            "token",
            {"params": {"grant_type": "client_credential", "appid": "wxnobody", "secret": "f" * 32}},
            40013,
        ),
        ("GET", "qrcode/create", {}, 43002),
        ("POST", "qrcode/create", {"json": TEMPORARY}, 41001),
        ("POST", "qrcode/create?access_token=garbage", {"json": TEMPORARY}, 40014),
        ("GET", "user/info?access_token=garbage", {}, 40014),
        ("GET", "message/custom/send", {}, 43002),
    ],
)
async def test_refusals_are_json_with_a_rid(
    client: TestClient, method: str, path: str, how: Any, errcode: int
) -> None:
    body = await answer(client, method, path, **how)
    assert body["errcode"] == errcode
    assert re.fullmatch(r".+ rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}", body["errmsg"])


async def test_a_token_speaks_for_its_own_account(client: TestClient, sandbox: Sandbox, token: str) -> None:
    body = await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)
    assert sandbox.code(body["ticket"]).appid == sandbox.accounts[0].appid
    assert (body["expire_seconds"], body["url"][:24]) == (600, "http://phone.test/q/02" + body["url"][22:24])


async def test_permanent_codes_answer_without_a_lifetime(client: TestClient, token: str) -> None:
    asked = {"action_name": "QR_LIMIT_SCENE", "action_info": {"scene": {"scene_id": 7}}}
    assert set(await answer(client, "POST", f"qrcode/create?access_token={token}", json=asked)) == {
        "ticket",
        "url",
    }


async def test_a_token_expires_by_the_clock(client: TestClient, clock: Any, token: str) -> None:
    clock.now += 7200
    body = await answer(client, "GET", f"getcallbackip?access_token={token}")
    assert body["errcode"] == 42001


async def test_callback_addresses_are_listed(client: TestClient, token: str) -> None:
    assert "127.0.0.1" in (await answer(client, "GET", f"getcallbackip?access_token={token}"))["ip_list"]


async def test_the_quota_of_codes_can_be_cleared_ten_times_a_month(
    client: TestClient, account: OfficialAccount, sandbox: Sandbox, token: str
) -> None:
    state = sandbox.state(account.appid)
    state.codes._calls.limit = 1
    told = []
    for _ in range(2):
        made = await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)
        told.append(made.get("errcode"))
    assert told == [None, 45009]
    ask = f"clear_quota?access_token={token}"
    assert (await answer(client, "POST", ask, json={"appid": "wxother"}))["errcode"] == 40013
    assert (await answer(client, "GET", ask))["errcode"] == 43002
    cleared = [await answer(client, "POST", ask, json={"appid": account.appid}) for _ in range(11)]
    assert [one["errcode"] for one in cleared] == [0] * 10 + [48006]
    assert "url" in await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)


async def test_a_ticket_shows_its_image(client: TestClient, token: str) -> None:
    code = await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)
    image = await client.get("/cgi-bin/showqrcode", params={"ticket": code["ticket"]})
    assert (image.status, image.content_type) == (200, "image/png")
    assert (await image.read()).startswith(b"\x89PNG")


@pytest.mark.parametrize("ticket", ["", "nothing", "bind_x"])
async def test_what_is_no_ticket_has_no_image(client: TestClient, token: str, ticket: str) -> None:
    await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)
    assert (await client.get("/cgi-bin/showqrcode", params={"ticket": ticket})).status == 404


async def test_user_info_tells_of_a_follower(client: TestClient, sandbox: Sandbox, token: str) -> None:
    sandbox.bind_open_platform("acme")
    user = await sandbox.create_user("Anna", language="en", unionid="union")
    code = await answer(client, "POST", f"qrcode/create?access_token={token}", json=TEMPORARY)
    await sandbox.scan(user, code["url"])
    await sandbox.follow(user)
    openid = sandbox.contact(user).openid
    info = await answer(client, "GET", f"user/info?access_token={token}&openid={openid}&lang=zh_CN")
    assert {name: info[name] for name in ("subscribe", "openid", "unionid", "language", "nickname")} == {
        "subscribe": 1,
        "openid": openid,
        "unionid": "union",
        "language": "en",
        "nickname": "",
    }
    assert (info["subscribe_scene"], info["qr_scene"], info["qr_scene_str"]) == ("ADD_SCENE_QR_CODE", 0, "bind_x")


async def test_user_info_says_little_of_who_left(client: TestClient, sandbox: Sandbox, token: str) -> None:
    sandbox.bind_open_platform("acme")
    user = await sandbox.create_user("Anna", unionid="union")
    await sandbox.follow(user)
    await sandbox.unfollow(user)
    openid = sandbox.contact(user).openid
    info = await answer(client, "GET", f"user/info?access_token={token}&openid={openid}")
    assert info == {"subscribe": 0, "openid": openid, "tagid_list": []}


async def test_user_info_without_an_open_platform_has_no_unionid(
    client: TestClient, sandbox: Sandbox, token: str
) -> None:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user)
    openid = sandbox.contact(user).openid
    assert "unionid" not in await answer(client, "GET", f"user/info?access_token={token}&openid={openid}")


async def test_an_unknown_openid_is_invalid(client: TestClient, token: str) -> None:
    info = await answer(client, "GET", f"user/info?access_token={token}&openid=oNobody")
    assert info["errcode"] == 40003


async def send(client: TestClient, token: str, message: object) -> int:
    return (await answer(client, "POST", f"message/custom/send?access_token={token}", json=message))["errcode"]


async def test_customer_messages_reach_the_chat_within_their_quota(
    client: TestClient, sandbox: Sandbox, clock: Any, token: str
) -> None:
    user = await sandbox.create_user("Anna")
    openid = sandbox.contact(user).openid
    message = {"touser": openid, "msgtype": "text", "text": {"content": "hello"}}
    assert await send(client, token, message) == 45015
    await sandbox.follow(user)
    assert [await send(client, token, message) for _ in range(4)] == [0, 0, 0, 45047]
    assert [line.text for line in await sandbox.chat(user)] == ["hello"] * 3
    await sandbox.say(user, "hi")
    assert await send(client, token, message) == 0
    await sandbox.unfollow(user)
    assert await send(client, token, message) == 45015


async def test_customer_menus_can_be_tapped(
    client: TestClient, sandbox: Sandbox, service: Any, token: str
) -> None:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user)
    menu = {"head_content": "Well?", "list": [{"id": "101", "content": "Yes & no"}], "tail_content": "Tap one."}
    message = {"touser": sandbox.contact(user).openid, "msgtype": "msgmenu", "msgmenu": menu}
    assert await send(client, token, message) == 0
    await sandbox.tap(user, "Yes & no")
    assert b"<bizmsgmenuid><![CDATA[101]]>" in service.seen[-1].body


@pytest.mark.parametrize(
    ("message", "errcode"),
    [
        ({}, 40003),
        ({"touser": ["x"]}, 40003),
        ({"msgtype": "poem"}, 40008),
        ({"msgtype": "text", "text": "bare"}, 40008),
        ({"msgtype": "text", "text": {"content": " "}}, 44004),
        ({"msgtype": "msgmenu", "msgmenu": {"list": ["x"]}}, 47001),
    ],
)
async def test_bad_customer_messages_are_refused(
    client: TestClient, sandbox: Sandbox, token: str, message: Any, errcode: int
) -> None:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user)
    to = {"touser": sandbox.contact(user).openid} if message.get("msgtype") else {}
    assert await send(client, token, {**to, **message}) == errcode


@pytest.mark.parametrize(("fault", "errcode"), MESSAGE_REFUSALS.items(), ids=str)
async def test_customer_messages_are_refused_while_a_fault_is_on(
    client: TestClient, sandbox: Sandbox, token: str, fault: MessageFault, errcode: int
) -> None:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user)
    message = {"touser": sandbox.contact(user).openid, "msgtype": "text", "text": {"content": "hello"}}
    sandbox.state().message_fault = fault
    assert await send(client, token, message) == errcode
    sandbox.state().message_fault = None
    assert [await send(client, token, message) for _ in range(4)] == [0, 0, 0, 45047]


async def test_a_customer_message_without_an_answer_is_in_the_chat(
    client: TestClient, sandbox: Sandbox, token: str
) -> None:
    user = await sandbox.create_user("Anna")
    await sandbox.follow(user)
    message = {"touser": sandbox.contact(user).openid, "msgtype": "text", "text": {"content": "hello"}}
    sandbox.state().message_fault = MessageFault.CUT
    with pytest.raises(ClientError):
        await send(client, token, message)
    assert [line.text for line in await sandbox.chat(user)] == ["hello"]
