"""A stop while a database hangs: the process ends in the time of contract.md 7 and logs what it abandoned."""

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession
from freezing import frozen, postgresql_pids, valkey_pid
from harness import ORIGIN, basic
from serving import Service, serving, wechat

from service.concurrency.file_lock import try_lock
from service.storage.database import Database
from service.storage.embedded_valkey import valkey

DROPPED = "stop: abandoned because it did not end in time: "
A_THREAD_THAT_HANGS = """
import sys, threading
from service.cli.main import main
threading.Thread(target=threading.Event().wait).start()
sys.exit(main())
"""


async def stop(service: Service) -> list[str]:
    """Send SIGTERM; check that the process ends well and in time, and return what it has said meanwhile."""
    told = len(service.log.read_text())
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert await service.process.wait() == 0
    assert time.monotonic() - began < 10
    log = service.log.read_text()
    assert "Traceback" not in log
    return [json.loads(line)["message"] for line in log[told:].splitlines()]


def dropped(said: list[str]) -> list[str]:
    return [one.removeprefix(DROPPED) for one in said if one.startswith(DROPPED)]


async def hold_connections(service: Service, http: ClientSession) -> None:
    """Use as many connections to both stores at once as the service likes."""

    async def ask(number: int) -> None:
        async with http.get(f"{service.url}/v1/bindings/{number}", headers=basic()) as response:
            assert response.status == 200
        await service.login(http)

    await asyncio.gather(*map(ask, range(12)))


async def in_hand(service: Service, http: ClientSession) -> None:
    """Ask what needs the database and what needs Redis, for as long as the service lives."""

    async def ask(method: str, path: str, **how: object) -> None:
        with suppress(ClientError):
            async with http.request(method, service.url + path, **how) as response:  # type: ignore[arg-type]
                await response.read()

    body = {"purpose": "login", "client_id": "shop"}
    await asyncio.gather(
        ask("GET", "/v1/bindings/42", headers=basic()),
        ask("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN}),
    )


@pytest.mark.parametrize("hanging", [("database",), ("redis",), ("database", "redis")], ids="+".join)
async def test_stores_that_hang_delay_no_stop(
    postgresql: str, postgres: Database, tmp_path: Path, hanging: tuple[str, ...]
) -> None:
    """Red when `Stop.end` waits for a step as long as it takes, or SQLAlchemy's traceback reaches the log."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        api, redis_url = await enter(wechat()), await enter(valkey(tmp_path))
        stores = {"database": {"url": postgresql}, "redis": {"url": redis_url}, "secret_key": "k" * 40}
        service = await enter(serving(tmp_path, api, **stores))
        http = await enter(ClientSession())
        await service.ready(http)
        await hold_connections(service, http)
        pids = {"database": await postgresql_pids(postgres), "redis": [valkey_pid(tmp_path)]}
        with frozen(pid for store in hanging for pid in pids[store]):
            if "redis" not in hanging:
                await service.login(http)  # gives the audit log a line to write
            asking = asyncio.create_task(in_hand(service, http))
            said = await stop(service)
            await asking
    assert len(set(dropped(said))) == len(dropped(said))
    if "database" in hanging:
        assert "connections to the database" in dropped(said)
    if "redis" not in hanging:
        assert any("audit log" in one or "audit log: the last entries are lost" in one for one in said)


async def test_an_embedded_valkey_that_hangs_is_killed(tmp_path: Path) -> None:
    """Red when `embedded_valkey._stop`, cancelled, leaves the server as it is."""
    async with wechat() as api, serving(tmp_path, api) as service, ClientSession() as http:
        await service.ready(http)
        await service.login(http)
        with frozen([valkey_pid(tmp_path / "var")]):
            assert dropped(await stop(service)) == ["the embedded Valkey"]
            async with asyncio.timeout(60):
                with (tmp_path / "var" / "valkey" / "valkey.lock").open() as lock:  # held while the server lives
                    while not try_lock(lock.fileno()):
                        await asyncio.sleep(0.05)


async def test_a_thread_that_never_ends_delays_no_exit(tmp_path: Path) -> None:
    """Red without `_exit_at_deadline`: Python waits for every thread, such as one that resolves a name."""
    program = ("-c", A_THREAD_THAT_HANGS)
    async with wechat() as api, serving(tmp_path, api, program=program) as service, ClientSession() as http:
        await service.ready(http)
        try:
            async with asyncio.timeout(60):
                assert (await stop(service))[-1] == "stop: the process did not end within 9.3 s, exiting now"
        finally:
            with suppress(ProcessLookupError):
                service.process.kill()
