"""A new person signs in at the running demo, by each method of each kind of account.

Red when a kind has a method that its account cannot do, or an account's callback, chat or credentials are those of
another one, and when a predefined user keeps a WeChat of an earlier demo.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from demo_person import Newcomer
from process import Demo, demo

from sandbox.people import Person
from service.server.demo.kinds import KINDS

SECRET = "the back end of a test"
WAYS = [(kind, method) for kind, one in KINDS.items() for method in one.methods]


VARIABLES = {f"SCANBIND_CLIENTS__{one.client.upper()}__SECRET": SECRET for one in KINDS.values()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    # All tests come from one address, and faster than any visitor.
    with demo(tmp_path_factory.mktemp("demo"), SCANBIND_LIMITS__TICKETS_PER_ADDRESS="0", **VARIABLES) as one:
        yield one


async def newcomer(where: Demo, http: ClientSession, client: str) -> Newcomer:
    async with http.post(f"{where.phone}/sandbox/api/users", json={"nickname": "Bao", "language": "en"}) as made:
        person: dict[str, Any] = await made.json()
    return Newcomer(where, http, client, SECRET, Person(person["id"], person["nickname"], person["language"]))


@pytest.mark.parametrize(("kind", "method"), WAYS, ids=[f"{kind}-{method}" for kind, method in WAYS])
async def test_a_new_person_signs_in(running: Demo, kind: Any, method: str) -> None:
    async with ClientSession() as http:
        person = await newcomer(running, http, KINDS[kind].client)
        if (kind, method) in (("test", "link"), ("test", "h5")):  # only followers may (wechat-protocol.md 6)
            await person.follow("测试号 Test account")
        told = await person.sign_in(method)
    assert (told["outcome"], told["method"], told["state"]) == ("register", method, "s1")
    assert told["account"] in (*KINDS[kind].accounts, *KINDS[kind].apps)


async def test_the_ready_users_have_no_wechat_of_an_earlier_demo(tmp_path: Path) -> None:
    for _ in range(2):
        with demo(tmp_path, "--account", "personal", **VARIABLES) as where:
            async with ClientSession() as http:
                person = await newcomer(where, http, "shop_personal")
                assert (await person.api("bindings/anna", "GET"))["bindings"] == []
                told = await person.sign_in("passcode")
                await person.api("bindings", user_id="anna", registration=told["registration"])
                [bound] = (await person.api("bindings/anna", "GET"))["bindings"]
    assert bound["account"] == "personal"
