"""An account's access token stays with the clients that may have it, and leaves no trace.

Red when a token is in a log line at DEBUG or in the audit log, and when a client gets the token of an account
that was granted to another. The processes are real ones, and share their Redis alone.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import ACCOUNT, SECOND, account, basic, client
from serving import Service, listening, serving

from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox

CLIENTS = {"shop": client("shop", access_token=["main"]), "club": client("club", access_token=["second"])}


@dataclass
class Processes:
    """Two services, each with a folder of its own, and WeChat."""

    services: list[Service]
    folders: list[Path]
    http: ClientSession
    sandbox: Sandbox
    wechat: str

    async def given(self, number: int, name: str, *, client: str) -> tuple[int, dict[str, Any]]:
        """Ask a service for a token; return the status and what the answer says."""
        address = f"{self.services[number].url}/v1/accounts/{name}/access-token"
        async with self.http.get(address, headers=basic(client)) as answer:
            return answer.status, await answer.json(content_type=None)

    async def report(self, number: int, name: str, token: str, *, client: str) -> int:
        address = f"{self.services[number].url}/v1/accounts/{name}/access-token/invalid"
        body = {"access_token": token}
        async with self.http.post(address, headers=basic(client), json=body) as answer:
            return answer.status

    async def revoke(self, official: Any) -> None:
        """Have another program of the account force a refresh."""
        body = {"grant_type": "client_credential", "appid": official.appid, "secret": official.secret}
        address = f"{self.wechat}/cgi-bin/stable_token"
        async with self.http.post(address, json={**body, "force_refresh": True}) as answer:
            assert answer.status == 200


@pytest.fixture
async def two(tmp_path: Path, redis: Any, redis_url: str) -> AsyncIterator[Processes]:
    emulated = make_app([ACCOUNT, SECOND], public_url="http://weixin.qq.com")
    async with AsyncExitStack() as stack:
        wechat = await stack.enter_async_context(listening(emulated))
        http = await stack.enter_async_context(ClientSession())
        folders = [tmp_path / "one", tmp_path / "two"]
        services = []
        for folder in folders:
            folder.mkdir()
            started = serving(
                *(folder, wechat, "--log-level", "DEBUG"),
                redis={"url": redis_url},
                secret_key="k" * 40,
                accounts={
                    "main": account(ACCOUNT, api_base=wechat),
                    "second": account(SECOND, api_base=wechat),
                },
                clients=CLIENTS,
            )
            services.append(await stack.enter_async_context(started))
            await services[-1].ready(http)
        yield Processes(services, folders, http, emulated[SANDBOX], wechat)


async def test_two_processes_give_one_token_and_keep_it_out_of_logs_and_audit(two: Processes) -> None:
    given = [await two.given(number, "main", client="shop") for number in (0, 1, 0)]
    [failed] = {told["access_token"] for _, told in given}
    await two.revoke(ACCOUNT)
    assert await two.report(1, "main", failed, client="shop") == 204
    replaced = [(await two.given(number, "main", client="shop"))[1]["access_token"] for number in (0, 1)]
    assert len({failed, *replaced}) == 2
    assert await two.report(0, "main", "z" * 4096, client="shop") == 400
    for service in two.services:
        service.process.terminate()
        await service.process.wait()
    issued = set(two.sandbox.state(ACCOUNT.appid).tokens._issued)
    assert len(issued) == 2
    events = []
    for service, folder in zip(two.services, two.folders, strict=True):
        with closing(sqlite3.connect(folder / "var" / "scanbind.sqlite3")) as database:
            rows = database.execute("SELECT * FROM audit").fetchall()
        events += [row for row in map(str, rows) if "token_" in row]
        log = service.log.read_text()
        assert "access-token" in log, "uses are logged, by their address"
        assert [one for one in issued if one in log + str(rows)] == []
    assert len([row for row in events if "token_given" in row]) >= 2
    assert len([row for row in events if "token_reported" in row]) == 1


async def test_a_client_has_the_tokens_of_its_own_grants_alone(two: Processes) -> None:
    tokens = {}
    for client_, own, foreign in (("shop", "main", "second"), ("club", "second", "main")):
        status, told = await two.given(0, own, client=client_)
        assert status == 200
        tokens[own] = told["access_token"]
        status, told = await two.given(1, foreign, client=client_)
        assert (status, told["type"]) == (403, "/problems/forbidden")
        assert await two.report(1, foreign, tokens[own], client=client_) == 403
    assert tokens["main"] != tokens["second"]
    assert await two.report(0, "main", tokens["second"], client="shop") == 204
    assert two.sandbox.state(ACCOUNT.appid).tokens._stable_calls[1].used == 1
