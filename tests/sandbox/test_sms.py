"""The SMS gateway: red when a message is lost, shown to another number, or taken from a page of another site."""

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from sandbox.account import OfficialAccount
from sandbox.app import make_app
from sandbox.people import newcomer
from sandbox.sms import KEPT

ANNA, OTHER = "13900000001", "13900000009"


@pytest.fixture
async def client(aiohttp_client: Any, account: OfficialAccount, clock: Any) -> Any:
    return await aiohttp_client(make_app([account], public_url="http://phone.test", clock=clock))


async def send(client: TestClient, number: object, text: object, **headers: str) -> Any:
    return await client.post("/sandbox/sms", json={"number": number, "text": text}, headers=headers)


async def messages(client: TestClient, **query: str) -> Any:
    response = await client.get("/sandbox/sms", params=query)
    assert response.status == 200
    return (await response.json())["messages"]


async def test_messages_are_listed_newest_first_and_by_number(client: TestClient, clock: Any) -> None:
    first = await (await send(client, ANNA, "Your code is 123456")).json()
    clock.now += 1
    second = await (await send(client, OTHER, "验证码 654321")).json()
    assert first == {"id": 1, "at": clock.now - 1, "number": ANNA, "text": "Your code is 123456"}
    assert await messages(client) == [second, first]
    assert await messages(client, number=ANNA) == [first]
    assert await messages(client, number="13900000002") == []


async def test_only_the_newest_messages_are_kept(client: TestClient) -> None:
    for number in range(KEPT + 1):
        await send(client, ANNA, f"message {number}")
    kept = await messages(client)
    assert len(kept) == KEPT
    assert (kept[0]["id"], kept[-1]["id"]) == (KEPT + 1, 2)


@pytest.mark.parametrize(
    ("number", "text", "field"),
    [
        ("12900000001", "x", "number"),
        ("1390000000", "x", "number"),
        ("１３９０００００００１", "x", "number"),
        ("13900000001\n", "x", "number"),
        (13900000001, "x", "number"),
        (None, "x", "number"),
        (ANNA, "", "text"),
        (ANNA, "x" * 501, "text"),
        (ANNA, "a\nb", "text"),
        (ANNA, "\ud800", "text"),
        (ANNA, None, "text"),
    ],
    ids=str,
)
async def test_a_malformed_message_is_refused_by_name(
    client: TestClient, number: object, text: object, field: str
) -> None:
    response = await send(client, number, text)
    assert response.status == 400
    assert (await response.json())["error"].startswith(f"{field}: ")
    assert await messages(client) == []


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}],
    ids=str,
)
async def test_a_page_of_another_site_neither_sends_nor_reads(client: TestClient, headers: dict[str, str]) -> None:
    assert (await send(client, ANNA, "x", **headers)).status == 403
    assert (await client.get("/sandbox/sms", headers=headers)).status == 403


async def test_every_user_has_a_number_that_stays(client: TestClient) -> None:
    made = await (await client.post("/sandbox/api/users", json={"nickname": "Anna"})).json()
    [listed] = (await (await client.get("/sandbox/api/users")).json())["users"]
    assert listed["phone_number"] == made["phone_number"]
    assert (await send(client, made["phone_number"], "x")).status == 200
    assert len({newcomer("Anna", language="en").phone_number for _ in range(100)}) == 100
