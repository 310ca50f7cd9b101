"""The programs of examples/sealed_calls/ make their three calls at the real process, and believe no other answer.

Red when a program accepts an answer that was changed, shortened, sealed by another or meant for another call, or
when docs/sealed-calls.md shows another program than the one that runs here.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from guide import blocks
from harness import ACCOUNT, client
from sealed import KEYS, decoded, encoded, header, sealed
from serving import Service, listening, serving

from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "examples" / "sealed_calls"
COMMANDS = {
    "python": ((), (sys.executable, "sealed_calls.py")),
    "node": ((), ("node", "sealed_calls.mjs")),
    "php": ((), ("php", "sealed_calls.php")),
    "java": (("javac", "SealedCalls.java"), ("java", "SealedCalls")),
    "go": (("go", "build", "sealed_calls.go"), ("./sealed_calls",)),
}
"""How a program is compiled, and how it runs."""
USER = '张三/3 "a\\b"'
PATIENCE = 180
"""Seconds that a compiler may take on a busy machine: Go compiles its library first."""


def _changed(compact: str, at: int, part: str) -> str:
    parts = compact.split(".")
    parts[at] = part
    return ".".join(parts)


def _bent(compact: str) -> str:
    ciphertext = compact.split(".")[3]
    return _changed(compact, 3, ("A" if ciphertext[0] != "A" else "B") + ciphertext[1:])


@dataclass
class Line:
    """What is between the program and the service: an attacker who answers as *how* says."""

    service: str
    how: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)
    """The calls and their answers."""

    async def pass_on(self, request: web.Request) -> web.Response:
        asked, headers = await request.text(), {"Content-Type": request.content_type}
        async with (
            ClientSession() as http,
            http.post(f"{self.service}/v1/sealed", data=asked, headers=headers) as it,
        ):
            told = await it.text()
        self.heard.append((asked, told))
        status, text = self._lies(asked, told)[self.how] if self.how else (it.status, told)
        return web.Response(text=text, status=status, content_type=it.content_type)

    def _lies(self, asked: str, told: str) -> dict[str, tuple[int, str]]:
        """Return other answers than *told*, by how they differ."""
        tag = encoded(decoded(told.split(".")[4])[:4])
        forged = {"jti": "x" * 22, "body": {"user_id": "42", "bindings": []}}
        by_another = sealed(json.dumps(forged).encode(), key=KEYS["club"], header=header("crm"))
        return {
            "changed": (200, _bent(told)),
            "with a short tag": (200, _changed(told, 4, tag)),
            "with an encrypted key": (200, _changed(told, 1, "AAAA")),
            "with another header": (200, _changed(told, 0, encoded(json.dumps(header("crm", x=1)).encode()))),
            "cut": (200, told[:-30]),
            "to an earlier call": (200, self.heard[0][1]),
            "the call itself": (200, asked),
            "of another client": (200, by_another),
            "not sealed": (200, json.dumps(forged["body"])),
            "empty": (200, ""),
            "that there is none": (204, ""),
            "a refusal": (401, "made up"),
        }


@dataclass(frozen=True)
class Crm:
    """A back end that calls with a program of the examples."""

    command: tuple[str, ...]
    folder: Path
    service: Service
    sandbox: Sandbox
    line: Line
    url: str

    async def run(self, call: str, *, url: str = "", key: str = KEYS["shop"]) -> Any:
        """Return what the program prints; if it fails, its complaint in a tuple."""
        place = {"CRM_SCANBIND": url or self.service.url, "CRM_SEALING_KEY": key}
        status, out, err = await done(*self.command, call, USER, folder=self.folder, **place)
        assert (status == 0) == bool(out), (out, err)
        return json.loads(out) if status == 0 else (err.decode(),)


async def done(*command: str, folder: Path, **variables: str) -> tuple[int | None, bytes, bytes]:
    """Run a command; return its status and what it prints."""
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**known, "GOCACHE": str(folder / "cache"), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return process.returncode, out, err


def needing(language: str) -> Any:
    compiles, runs = COMMANDS[language]
    program = (compiles or runs)[0]
    reason = f"the example in {language} cannot run: {Path(program).name} is missing"
    return pytest.param(language, marks=pytest.mark.skipif(not shutil.which(program), reason=reason))


@pytest.fixture(params=[needing(language) for language in COMMANDS])
async def crm(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Crm]:
    folder = tmp_path / "crm"
    shutil.copytree(PROGRAMS / request.param, folder)
    compiles, command = COMMANDS[request.param]
    if compiles:
        assert await done(*compiles, folder=folder) == (0, b"", b"")
    must = client("shop", sealing_key=KEYS["shop"], require_sealed=True)
    del must["secret"]
    async with AsyncExitStack() as stack:
        wechat = make_app([ACCOUNT], public_url="http://weixin.qq.com")
        here = await stack.enter_async_context(listening(wechat))
        service = await stack.enter_async_context(serving(tmp_path, here, clients={"crm": must}))
        http = await stack.enter_async_context(ClientSession())
        await service.ready(http)
        wechat[SANDBOX].point(f"{service.url}/wechat/main")
        line, between = Line(service.url), web.Application()
        between.router.add_post("/v1/sealed", line.pass_on)
        url = await stack.enter_async_context(listening(between))
        yield Crm(command, folder, service, wechat[SANDBOX], line, url)


async def test_a_crm_shows_a_code_reads_bindings_and_disconnects(crm: Crm) -> None:
    person = await crm.sandbox.create_user("Person")
    await crm.sandbox.follow(person, by_search=True)
    assert (await crm.run("GetBindInfo")) == {"user_id": USER, "bindings": []}
    first, made = await crm.run("GetQrCode"), await crm.run("GetQrCode")
    assert made["qr_url"] != first["qr_url"], "refresh makes a new one each time"
    await crm.sandbox.scan(person, made["qr_url"])
    [binding] = (await crm.run("GetBindInfo"))["bindings"]
    assert binding["openid"] == person.openid(ACCOUNT.appid)
    assert await crm.run("Disconnect") is None
    assert (await crm.run("GetBindInfo"))["bindings"] == []
    [refused] = await crm.run("Disconnect")
    assert "/problems/binding-not-found" in refused


async def test_a_program_believes_no_answer_but_its_own(crm: Crm) -> None:
    assert (await crm.run("GetBindInfo", url=crm.url))["bindings"] == []
    line = crm.line
    for how in line._lies(*line.heard[0]):
        line.how = how
        complaint = await crm.run("GetBindInfo", url=crm.url)
        assert isinstance(complaint, tuple), how
        assert complaint[0].strip()
    [refused] = await crm.run("GetBindInfo", key=KEYS["club"])
    assert "/problems/unauthorized" in refused


def test_the_page_shows_the_programs_that_run_here() -> None:
    shown = {one.language: one.text for one in blocks(ROOT / "docs" / "sealed-calls.md")}
    assert shown["python"] == (PROGRAMS / "python" / "sealed_calls.py").read_text(encoding="utf-8")
    assert shown["js"] == (PROGRAMS / "node" / "sealed_calls.mjs").read_text(encoding="utf-8")
