"""`scanbind webhooks` beside a service that runs: its output and exit status, and what the service then sends.

Red when a command changes the `webhook-id`, sends what was erased, or shows an address with its query.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import ACCOUNT, basic, client
from hooked import SECRET, shown, webhook
from migrated import put_migrated
from redis.asyncio import Redis
from serving import Service, listening, serving
from webhook_receiver import Receiver, Reply, receiving

from models.timestamps import rfc3339
from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox

ROOT = Path(__file__).parents[3]
KEY, PUBLIC = (
    "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
)
Told = tuple[int, str, str]


@dataclass
class Shop:
    """A running service, the receiver of its shop's webhooks, and a terminal."""

    folder: Path
    service: Service
    sandbox: Sandbox
    receiver: Receiver
    http: ClientSession

    async def run(self, *argv: str) -> Told:
        """Run `scanbind webhooks`; return exit status, output and errors."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "service", "webhooks", argv[0], "--config", str(self.folder / "config.yaml")],
            *argv[1:],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def deliveries(self, *argv: str) -> list[dict[str, Any]]:
        status, out, err = await self.run("deliveries", *argv)
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """Wait until the shop's last delivery has these values; return it."""
        async with asyncio.timeout(60):
            while True:
                last = (await self.deliveries("--limit", "1", "--client", "shop"))[0]
                if wanted.items() <= last.items():
                    return last

    async def bind(self, user: str) -> None:
        body = {"purpose": "bind", "user_id": user}
        async with self.http.post(f"{self.service.url}/v1/tickets", json=body, headers=basic()) as response:
            made = await response.json()
        person = await self.sandbox.create_user(user, language="en")
        await self.sandbox.follow(person, by_search=True)
        assert "bound" in str((await self.sandbox.scan(person, made["qr_url"])).delivery)


@asynccontextmanager
async def running(folder: Path, redis_url: str, *, replies: tuple[Reply, ...] = ()) -> AsyncIterator[Shop]:
    (folder / "var").mkdir(mode=0o700)
    put_migrated(folder / "var" / "scanbind.sqlite3")
    wechat = make_app([ACCOUNT], public_url="http://weixin.qq.com")
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(listening(wechat))
        receiver = await stack.enter_async_context(receiving(SECRET))
        receiver.replies = list(replies)
        clients = {"shop": client("shop", webhooks=[webhook(receiver)]), "club": client("club")}
        signed = {"url": f"{receiver.url}&of=boss", "key": KEY, "allow_private": True}
        settings = {"secret_key": "k" * 40, "redis": {"url": redis_url}, "clients": clients}
        service = await stack.enter_async_context(serving(folder, api, **settings, operator={"webhook": signed}))
        http = await stack.enter_async_context(ClientSession())
        await service.ready(http)
        wechat[SANDBOX].point(f"{service.url}/wechat/main")
        yield Shop(folder, service, wechat[SANDBOX], receiver, http)


@pytest.fixture
async def shop(tmp_path: Path, redis: Redis, redis_url: str) -> AsyncIterator[Shop]:
    async with running(tmp_path, redis_url) as opened:
        yield opened


async def test_endpoints_and_deliveries_are_listed(shop: Shop) -> None:
    await shop.bind("42")
    (received,) = await shop.receiver.wait_for(1)
    last = await shop.until(state="delivered")
    address = shop.receiver.url.partition("?")[0]
    assert {name: last[name] for name in ("id", "client", "url", "event", "tries", "status")} == {
        "id": received.id,
        "client": "shop",
        "url": address,
        "event": "binding.created",
        "tries": 1,
        "status": 204,
    }
    assert "fault" not in last
    status, out, err = await shop.run("list")
    ours, operators = out.splitlines()
    assert (status, err) == (0, "")
    assert ours.startswith(
        f"shop {address} enabled pending=0 delivered=1 dead=0 signed=secret events=binding.created,"
    )
    assert operators == (
        f"(operator) {address} enabled pending=0 delivered=0 dead=0 signed={PUBLIC} events=webhook.disabled"
    )
    assert (await shop.run("list", "--client", "club")) == (0, "", "")
    for argv in (["--client", "club"], ["--since", "2099-01-01T00:00"], ["--id", "msg_x"], ["--state", "dead"]):
        assert await shop.deliveries(*argv) == [], argv
    for argv in (["--client", "shop"], ["--since", "1h"], ["--id", received.id], ["--state", "delivered"]):
        assert [it["id"] for it in await shop.deliveries(*argv)] == [received.id], argv


async def test_a_replay_sends_again_under_the_same_id(shop: Shop) -> None:
    before = rfc3339(datetime.now(UTC)).removesuffix("Z")
    await shop.bind("42")
    (first,) = await shop.receiver.wait_for(1)
    await shop.until(state="delivered")
    assert await shop.run("replay", "--id", first.id) == (0, "1 to deliver again\n", "")
    (_, again) = await shop.receiver.wait_for(2)
    assert (again.id, again.body) == (first.id, first.body)
    assert again.headers["webhook-signature"] != first.headers["webhook-signature"] or (
        again.headers["webhook-timestamp"] == first.headers["webhook-timestamp"]
    )
    await shop.until(state="delivered")
    assert await shop.run("replay", "--since", before, "--client", "shop") == (0, "1 to deliver again\n", "")
    assert {it.id for it in await shop.receiver.wait_for(3)} == {first.id}
    await shop.until(state="delivered")
    for argv in (
        ["--since", before, "--dead"],
        ["--since", "2099-01-01T00:00"],
        ["--since", before, "--client", "club"],
    ):
        assert await shop.run("replay", *argv) == (0, "0 to deliver again\n", ""), argv
    assert await shop.run("replay", "--id", "msg_unknown") == (1, "0 to deliver again\n", "")
    assert len(shop.receiver.received) == 3


async def test_what_was_erased_is_not_sent_again(shop: Shop) -> None:
    await shop.bind("42")
    (first,) = await shop.receiver.wait_for(1)
    await shop.until(state="delivered")
    erase = ("privacy", "erase", "--config", str(shop.folder / "config.yaml"))
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "service", *erase, "--user", "42", "--client", "shop", "--yes"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    kept = {it["table"]: it["rows"] for it in json.loads((await process.communicate())[0])["kept"]}
    assert kept["outbox"] == 1
    assert shown(await shop.receiver.wait_for(2))[1] == ("binding.removed", "42")
    await shop.until(state="delivered", event="binding.removed")
    assert await shop.run("replay", "--id", first.id) == (1, "0 to deliver again\n", "")
    assert await shop.run("replay", "--since", "1h") == (0, "0 to deliver again\n", "")


async def test_a_test_event_is_posted_and_its_fault_is_told(shop: Shop) -> None:
    address = shop.receiver.url.partition("?")[0]
    assert await shop.run("test", "--client", "shop") == (0, f"{address}: delivered\n", "")
    (received,) = await shop.receiver.wait_for(1)
    assert (received.payload["type"], received.payload["data"]) == ("webhook.test", {"client": "shop"})
    shop.receiver.replies = [Reply(500)]
    assert await shop.run("test", "--client", "shop") == (1, f"{address}: HTTP 500\n", "")
    assert await shop.run("test", "--client", "club") == (1, "clients.club.webhooks: is empty\n", "")


async def test_an_endpoint_that_is_gone_is_enabled_and_gets_what_waited(
    tmp_path: Path, redis: Redis, redis_url: str
) -> None:
    async with running(tmp_path, redis_url, replies=(Reply(410),)) as shop:
        await shop.bind("42")
        await shop.until(status=410, event="binding.created", state="pending", tries=0)
        status, out, _ = await shop.run("list", "--client", "shop")
        assert status == 0
        assert " disabled=gone since=" in out
        assert " pending=1 " in out
        enable = ("enable", "--client", "shop", "--url", shop.receiver.url)
        assert await shop.run(*enable) == (0, "enabled; 1 waiting\n", "")
        first, again = await shop.receiver.wait_for(2)
        assert first.id == again.id
        assert (await shop.run("list", "--client", "shop"))[1].count(" enabled ") == 1


async def test_what_is_not_configured_is_status_two(shop: Shop) -> None:
    wrong = "--client: must be one of: shop, club"
    for argv in (["list"], ["deliveries"], ["replay", "--id", "msg_x"], ["test"]):
        status, out, err = await shop.run(argv[0], "--client", "blog", *argv[1:])
        assert (status, out) == (2, ""), argv
        assert wrong in err, argv
    for whose, argv in (
        ("clients.shop.webhooks", ["--client", "shop", "--url", "https://shop.example/"]),
        ("clients.blog.webhooks", ["--client", "blog", "--url", shop.receiver.url]),
        ("operator.webhook", ["--url", shop.receiver.url]),
    ):
        status, out, err = await shop.run("enable", *argv)
        assert (status, out) == (2, ""), argv
        assert f"--url: is not configured under {whose}" in err


@pytest.mark.parametrize(
    "argv",
    [["replay"], ["replay", "--id", "x", "--since", "1h"], ["replay", "--since", "soon"], ["test"], ["enable"],
     ["deliveries", "--state", "lost"], ["deliveries", "--limit", "x"]],
    ids=" ".join,
)  # fmt: skip
async def test_wrong_usage_is_status_two(argv: list[str], tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "service", "webhooks", *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert b"usage: scanbind webhooks" in err
