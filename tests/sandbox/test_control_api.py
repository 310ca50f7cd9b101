"""The control API, for the sandbox's own page and local tools alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, make_mocked_request

from sandbox.access import is_near
from sandbox.account import OfficialAccount
from sandbox.app import SANDBOX, make_app


@pytest.fixture
async def client(aiohttp_client: Any, account: OfficialAccount, service: Any, clock: Any) -> Any:
    own = replace(account, callback_url=service.url, mode="plain")
    app = make_app([own], public_url="http://phone.test", clock=clock, retry_interval=0.01)
    return await aiohttp_client(app)


async def get(client: TestClient, name: str, **query: str) -> Any:
    response = await client.get(f"/sandbox/api/{name}", params=query)
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    return await response.json()


async def post(client: TestClient, name: str, *, status: int = 200, **body: object) -> Any:
    response = await client.post(f"/sandbox/api/{name}", json=body)
    assert response.status == status, await response.text()
    return await response.json()


async def test_a_whole_visit_over_http(client: TestClient, service: Any, show: Callable[..., str]) -> None:
    service.replies('Log in? <a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=1">47</a>')
    user = (await post(client, "users", nickname="Anna", language="en"))["id"]
    code = show(client.app[SANDBOX])
    assert [shown["id"] for shown in (await get(client, "codes"))["codes"]] == [code]

    assert (await post(client, "scan", user=user, code=code))["outcome"] == "follow_first"
    assert (await get(client, "phone", user=user))["pending"]["id"] == code
    followed = await post(client, "follow", user=user)
    assert (followed["event"], followed["state"], followed["reply"][:7]) == ("subscribe", "answered", "Log in?")
    scanned = await post(client, "scan", user=user, code=f"http://phone.test/q/{code}")
    assert (scanned["outcome"], scanned["delivery"]["event"]) == ("pushed", "SCAN")

    phone = await get(client, "phone", user=user)
    link = phone["messages"][-1]["pieces"][1]
    assert (phone["following"], link["says"]) == (True, "47")
    assert "<Content><![CDATA[47]]>" in (await post(client, "tap", user=user, link=link["id"]))["sent"]
    assert (await post(client, "say", user=user, text="hi"))["event"] == "text"
    assert (await get(client, "chat", user=user))["messages"][-2]["text"] == "hi"
    assert (await post(client, "click", user=user, key="K"))["event"] == "CLICK"
    assert (await post(client, "view", user=user, url="https://x.example"))["event"] == "VIEW"
    assert (await post(client, "noise", user=user, kind="image"))["event"] == "image"
    service.says("success")
    revoked = await post(client, "revoke", user=user, event="user_authorization_revoke")
    assert (revoked["event"], "<OpenID>" in revoked["sent"]) == ("user_authorization_revoke", True)
    await post(client, "revoke", user=user, event="subscribe", status=409)
    assert (await post(client, "unfollow", user=user))["state"] == "answered"

    events = [delivery["event"] for delivery in (await get(client, "deliveries", user=user))["deliveries"]]
    assert events == [
        "unsubscribe",
        "user_authorization_revoke",
        "image",
        "VIEW",
        "CLICK",
        "text",
        "text",
        "SCAN",
        "subscribe",
    ]
    assert (await get(client, "users"))["users"][0]["nickname"] == "Anna"


async def test_without_waiting_the_delivery_is_only_begun(client: TestClient, service: Any) -> None:
    user = (await post(client, "users", nickname="Anna"))["id"]
    assert (await post(client, "follow", user=user, wait=False))["state"] == "waiting"
    assert (await client.app[SANDBOX].deliveries[0].finished()).state == "answered"


async def test_mischief_is_taken_by_name(client: TestClient, service: Any) -> None:
    user = (await post(client, "users", nickname="Anna"))["id"]
    names = (await get(client, "tricks"))["mischief"]
    assert {"twice", "unsigned", "out_of_order"} <= set(names)
    forged = await post(client, "follow", user=user, mischief="unsigned")
    assert forged["mischief"] == "unsigned"
    assert not (await get(client, "phone", user=user))["following"]


async def test_a_dismissed_prompt_is_forgotten(client: TestClient, show: Callable[..., str]) -> None:
    user = (await post(client, "users", nickname="Anna"))["id"]
    await post(client, "scan", user=user, code=show(client.app[SANDBOX]))
    await post(client, "dismiss", user=user)
    assert (await get(client, "phone", user=user))["pending"] is None


async def test_accounts_are_shown_without_their_secrets(client: TestClient, account: OfficialAccount) -> None:
    text = str(await get(client, "accounts"))
    assert account.appid in text
    assert not any(secret in text for secret in (account.secret, account.token, account.aes_key))


async def test_the_callback_address_can_be_set_and_verified(client: TestClient, service: Any) -> None:
    assert (await post(client, "verify"))["flaw"] == "the answer is not the echostr"
    pointed = await post(client, "callback", url="http://127.0.0.1:1/elsewhere")
    assert pointed["callback_url"] == "http://127.0.0.1:1/elsewhere"
    assert "no answer" in (await post(client, "verify"))["flaw"]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"])
def test_who_comes_by_the_loopback_is_near(peer: str) -> None:
    assert is_near(make_mocked_request("POST", "/").clone(remote=peer))


@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "", "localhost"])
def test_who_comes_by_the_network_is_not(peer: str) -> None:
    assert not is_near(make_mocked_request("POST", "/").clone(remote=peer))


async def test_only_this_machine_says_where_pushes_go(aiohttp_client: Any, account: OfficialAccount) -> None:
    peers = iter(["192.0.2.7", "192.0.2.7", "127.0.0.1"])

    @web.middleware
    async def from_afar(request: web.Request, handler: Any) -> Any:
        return await handler(request.clone(remote=next(peers)))

    app = make_app([account], public_url="http://phone.test")
    app.middlewares.append(from_afar)
    client = await aiohttp_client(app)
    told = await post(client, "callback", url="http://127.0.0.1:1/elsewhere", status=403)
    assert "only from the machine" in told["error"]
    assert (await get(client, "accounts"))["accounts"][0]["callback_url"] == account.callback_url
    await post(client, "callback", url="http://127.0.0.1:1/elsewhere")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("users", {}, 400),
        ("users", {"nickname": 7}, 400),
        ("users", {"nickname": " "}, 409),
        ("follow", {"user": "u_nobody"}, 404),
        ("follow", {"user": "u_nobody", "account": "wxnone"}, 404),
        ("scan", {"user": "u_nobody", "code": "02nothing"}, 404),
        ("say", {"user": "USER", "text": "hi"}, 409),
        ("follow", {"user": "USER", "mischief": "magic"}, 400),
        ("follow", {"user": "USER", "mischief": "plaintext"}, 409),
        ("follow", {"user": "USER", "wait": "no"}, 400),
        ("noise", {"user": "USER", "kind": "silence"}, 404),
    ],
)
async def test_what_cannot_be_done_says_so(client: TestClient, name: str, body: Any, status: int) -> None:
    user = (await post(client, "users", nickname="Anna"))["id"]
    asked = {key: user if value == "USER" else value for key, value in body.items()}
    assert (await post(client, name, status=status, **asked))["error"]


@pytest.mark.parametrize("data", [b"{", b"[]"])
async def test_what_is_no_object_is_malformed(client: TestClient, data: bytes) -> None:
    response = await client.post("/sandbox/api/users", data=data, headers={"Content-Type": "application/json"})
    assert response.status == 400


async def test_only_json_is_taken(client: TestClient) -> None:
    response = await client.post("/sandbox/api/users", data=b'{"nickname":"Anna"}')
    assert response.status == 400
    assert not client.app[SANDBOX].people.all()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_sites_page_is_refused(client: TestClient, method: str, headers: dict[str, str]) -> None:
    response = await client.request(method, "/sandbox/api/users", json={"nickname": "Eve"}, headers=headers)
    assert response.status == 403
    assert not client.app[SANDBOX].people.all()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Host": "phone.test", "Origin": "http://phone.test"},
        {"Host": "localhost:9", "Origin": "http://localhost:9"},
        {"Host": "[::1]:9"},
    ],
)
async def test_its_own_page_and_local_tools_are_served(client: TestClient, headers: dict[str, str]) -> None:
    response = await client.post("/sandbox/api/users", json={"nickname": "Anna"}, headers=headers)
    assert response.status == 200


async def test_a_fault_of_customer_messages_is_switched_on_and_off(client: TestClient, service: Any) -> None:
    state = client.app[SANDBOX].state()
    for fault in (await get(client, "tricks"))["message"]:
        assert await post(client, "message_fault", fault=fault) == {"fault": fault}
        assert state.message_fault == fault
    assert await post(client, "message_fault") == {"fault": None}
    assert state.message_fault is None
    await post(client, "message_fault", fault="cut", account="wxunknown", status=404)
