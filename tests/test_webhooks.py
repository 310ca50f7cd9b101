"""Runs every block of docs/webhooks.md: the receivers in Python and in Node, with posts over real connections.

Red when a receiver believes a forged or old event, or handles one twice.
"""

import asyncio
import json
import runpy
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiohttp import ClientSession
from config_files import tree
from desk import PATIENCE, Desk, ended
from guide import Guide
from serving import port_of_a_process
from yarl import URL

from service.config.settings import validate
from service.webhooks.answer import Answer
from service.webhooks.endpoints import Endpoint, endpoints
from service.webhooks.post import WebhookPost, open_webhook_post
from service.webhooks.signatures import (
    Ed25519Signer,
    HmacSigner,
    Signer,
    fresh_key,
    fresh_secret,
    seconds,
    signature_header,
)

PAGE: Final = Path(__file__).parent.parent / "docs" / "webhooks.md"
KEY: Final = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
"""The first of RFC 8032, 7.1, whose public key is on the page."""
LANGUAGES: Final = (
    "python",
    pytest.param(
        "js",
        marks=pytest.mark.skipif(not shutil.which("node"), reason="needs nodejs, which is not on this machine"),
    ),
)


@dataclass(frozen=True)
class Page:
    """The blocks of the page, with the port of this run."""

    settings: dict[str, Any]
    programs: dict[str, tuple[str, str]]
    """By language: the receiver and the command that runs it."""
    example: str
    by_public_key: dict[str, str]


def page(port: int = 8000) -> Page:
    guide = Guide(PAGE, {"8000": str(port)})
    settings = yaml.safe_load(guide.take("yaml"))
    programs = {language: (guide.take(language), guide.take("sh")) for language in ("python", "js")}
    example = guide.take("json")
    by_public_key = {language: guide.take(language) for language in ("python", "js")}
    assert guide.left == []
    return Page(settings, programs, example, by_public_key)


@dataclass(frozen=True)
class Receiving:
    """A receiver of the page in a process of its own, and what posts to it."""

    process: asyncio.subprocess.Process
    post: WebhookPost
    endpoint: Endpoint
    body: bytes

    async def send(
        self, message_id: str, *, endpoint: Endpoint | None = None, age: timedelta = timedelta(0)
    ) -> Answer:
        at = datetime.now(UTC) - age
        return await self.post.post(endpoint or self.endpoint, message_id=message_id, body=self.body, at=at)

    async def line(self) -> str:
        assert self.process.stdout
        return (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)).decode().strip()


@pytest.fixture(params=LANGUAGES)
async def receiving(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Receiving]:
    blocks = page(port := port_of_a_process())
    program, command = blocks.programs[request.param]
    (tmp_path / command.split()[1]).write_text(program, encoding="utf-8")
    (webhook,) = endpoints(validate(tree(clients__shop__webhooks=blocks.settings["clients"]["shop"]["webhooks"])))
    async with ClientSession() as http, open_webhook_post() as post:
        desk = Desk(tmp_path, Guide(PAGE, {}), http, "", "", f"http://127.0.0.1:{port}")
        async with ended(await desk.start(command)) as process:
            running = Receiving(process, post, webhook, blocks.example.encode())
            async with asyncio.timeout(PATIENCE):
                while (await running.send("msg_0", endpoint=replace(webhook, signers=()))).status is None:
                    await asyncio.sleep(0.05)
            if request.param == "python":
                assert (await running.line()).startswith("======== Running on")
                await running.line()
            yield running


async def test_a_receiver_handles_an_event_once(receiving: Receiving) -> None:
    for message_id in ("msg_1", "msg_1", "msg_2"):
        assert (await receiving.send(message_id)).status == 204
    assert [await receiving.line() for _ in range(2)] == ["login.completed shop"] * 2
    receiving.process.terminate()
    assert await receiving.line() == ""


async def test_a_receiver_refuses_what_was_not_signed_for_it_or_is_old(receiving: Receiving) -> None:
    own = receiving.endpoint
    forged = replace(own, signers=(HmacSigner(fresh_secret()),))
    by_key = replace(own, signers=(Ed25519Signer(fresh_key()),))
    for other in (forged, by_key, replace(own, signers=())):
        assert (await receiving.send("msg_1", endpoint=other)).error == "HTTP 401"
    assert (await receiving.send("msg_1", age=timedelta(minutes=6))).error == "HTTP 401"
    assert (await receiving.send("msg_1", age=-timedelta(minutes=6))).error == "HTTP 401"
    assert (await receiving.send("msg_1")).ok


async def test_a_request_that_breaks_off_ends_no_receiver(receiving: Receiving) -> None:
    """Red when an error of one connection ends the process."""
    url = URL(receiving.endpoint.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"POST /webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
    await writer.drain()
    assert (await receiving.send("msg_1")).ok
    writer.transport.abort()
    for number in range(2, 9):
        assert (await receiving.send(f"msg_{number}")).ok


async def test_a_receiver_that_has_the_old_secret_verifies_while_it_changes(receiving: Receiving) -> None:
    changing = replace(receiving.endpoint, signers=(HmacSigner(fresh_secret()), *receiving.endpoint.signers))
    assert (await receiving.send("msg_1", endpoint=changing)).ok


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_public_key_verifies_what_its_key_signed(language: str, tmp_path: Path) -> None:
    blocks = page()
    body = blocks.example.encode()
    key, now = Ed25519Signer(KEY), datetime.now(UTC)

    async def believed(*signers: Signer, at: datetime = now, sent: bytes = body) -> bool:
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": seconds(at),
            "webhook-signature": signature_header(signers, "msg_1", at, body),
        }
        return await verified(language, blocks, headers, sent, tmp_path)

    assert await believed(key)
    assert await believed(Ed25519Signer(fresh_key()), key)
    assert not await believed(Ed25519Signer(fresh_key()), HmacSigner(fresh_secret()))
    assert not await believed(key, sent=body + b" ")
    assert not await believed(key, at=now - timedelta(minutes=6))


async def verified(language: str, blocks: Page, headers: dict[str, str], body: bytes, folder: Path) -> bool:
    """Run the function of the page, that of Node in a process."""
    if language == "python":
        (folder / "by_key.py").write_text(blocks.by_public_key["python"], encoding="utf-8")
        return bool(runpy.run_path(str(folder / "by_key.py"))["verified"](headers, body))
    (folder / "by_key.mjs").write_text(blocks.by_public_key["js"], encoding="utf-8")
    call = f"verified({json.dumps(headers)}, Buffer.from({json.dumps(body.decode())}))"
    (folder / "call.mjs").write_text(
        f'import {{ verified }} from "./by_key.mjs"; console.log({call});', encoding="utf-8"
    )
    process = await asyncio.create_subprocess_exec("node", "call.mjs", cwd=folder, stdout=asyncio.subprocess.PIPE)
    printed, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return printed == b"true\n"


def test_the_page_names_the_public_key_of_the_specification() -> None:
    public = (Ed25519Signer(KEY).public_key).removeprefix("whpk_")
    assert all(public in block for block in page().by_public_key.values())
