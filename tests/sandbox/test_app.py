"""The sandbox as a process of its own: start, output, stop."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from sandbox.account import OfficialAccount, default_account, default_website
from sandbox.app import serve
from sandbox.crypto import Sealer
from sandbox.kinds import Emulated


def test_the_default_account_has_the_shapes_wechat_has() -> None:
    account = default_account("http://127.0.0.1:8080/wechat/main")
    assert re.fullmatch(r"wx[0-9a-f]{16}", account.appid)
    assert re.fullmatch(r"[0-9a-f]{32}", account.secret)
    assert re.fullmatch(r"[0-9A-Za-z]{3,32}", account.token)
    assert re.fullmatch(r"[0-9A-Za-z]{43}", account.aes_key)
    assert account.mode == "safe"
    sealer = Sealer.of(account.aes_key, appid=account.appid)
    assert sealer.open(sealer.seal(b"hi")) == b"hi"
    assert account.secret not in repr(account)


def test_the_default_account_is_the_same_at_the_next_start() -> None:
    assert default_account("http://a.test") == default_account("http://a.test")
    assert default_account("http://a.test").secret != default_account("http://b.test").secret


def test_the_default_website_belongs_to_the_default_account() -> None:
    account, site = (make("http://a.test/wechat/main") for make in (default_account, default_website))
    assert re.fullmatch(r"wx[0-9a-f]{16}", site.appid)
    assert site.appid != account.appid
    assert site.secret not in (account.secret, repr(site))
    assert (
        (site.domain, site.open_platform) == (account.oauth_domain, account.open_platform) == ("a.test", "sandbox")
    )


@pytest.mark.parametrize("stop", ["signal", "cancel"])
async def test_serve_listens_announces_and_stops(
    account: OfficialAccount, capsys: pytest.CaptureFixture[str], stop: str
) -> None:
    serving = asyncio.create_task(serve(host="127.0.0.1", port=0, emulated=Emulated((account,)), public_url=None))
    said = ""
    async with asyncio.timeout(10):
        while "api_base" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().out
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert address
    async with ClientSession() as http, http.get(address[0]) as page:
        assert page.status == 200
    if stop == "signal":
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
    else:
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_a_taken_address_is_an_error(account: OfficialAccount, unused_tcp_port_factory: Any) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        await serve(host="127.0.0.1", port=port, emulated=Emulated((account,)), public_url=None)
    server.close()
    await server.wait_closed()


PROGRAM = """
import asyncio
from sandbox import qr_reader
from sandbox.account import default_account
from sandbox.app import serve
from sandbox.kinds import Emulated
qr_reader.LOOKS_FOR = 60.0
account = default_account("http://127.0.0.1:1/")
asyncio.run(serve(host="127.0.0.1", port=0, emulated=Emulated((account,)), public_url=None))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not show its children")
async def test_a_picture_that_is_looked_at_does_not_keep_it_from_ending(wall: bytes) -> None:
    program = (sys.executable, "-c", PROGRAM)
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    async with asyncio.timeout(30), ClientSession() as http:
        address = (await process.stdout.readline()).split()[-1].decode()
        headers = {"Content-Type": "image/png"}
        looking = asyncio.create_task(http.post(f"{address}sandbox/api/picture", data=wall, headers=headers))
        await until_it_has_a_child(process.pid)
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        await process.communicate()
        await asyncio.gather(looking, return_exceptions=True)
    assert process.returncode == 0
    assert time.monotonic() - before < 8


async def until_it_has_a_child(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not children.read_text():
        await asyncio.sleep(0.02)
