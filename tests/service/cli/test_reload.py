"""`scanbind reload` and SIGHUP, to real processes: 200 open streams, several processes, faults.

Red when a reload drops a stream that may stay, leaves one open that must go, or misses a process.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from harness import ORIGIN, client, problem
from serving import Service, serving, wechat
from streams import block, event

ROOT: Final = Path(__file__).parents[3]
STREAMS: Final = 100
"""Of each of two clients."""
Told = tuple[int, str, str]


async def run(*argv: str, cwd: Path) -> Told:
    """Run `scanbind`; return exit status, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "service", *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def change(folder: Path, **sections: Any) -> None:
    file = folder / "config.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | sections))


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        yield session


@asynccontextmanager
async def running(folder: Path, http: ClientSession, **settings: Any) -> AsyncIterator[Service]:
    async with wechat() as api_base, serving(folder, api_base, **settings) as service:
        await service.ready(http)
        yield service


async def streams(
    stack: AsyncExitStack, http: ClientSession, service: Service, *, client_id: str
) -> Sequence[ClientResponse]:
    """Open streams of new tickets, each after its first event."""

    async def one() -> ClientResponse:
        body = {"purpose": "login", "client_id": client_id}
        async with http.post(f"{service.url}/v1/tickets", json=body, headers={"Origin": ORIGIN}) as response:
            made = await response.json()
            assert response.status == 201, made
        address, bearer = f"{service.url}/v1/tickets/{made['ticket']}/events", f"Bearer {made['secret']}"
        response = await stack.enter_async_context(http.get(address, headers={"Authorization": bearer}))
        assert (await event(response))["data"]["status"] == "pending"
        return response

    return [await one() for _ in range(STREAMS)]


async def ended(stream: ClientResponse) -> None:
    while await block(stream):
        pass


async def test_of_200_streams_those_of_the_removed_client_end_and_the_others_stay(
    tmp_path: Path, http: ClientSession
) -> None:
    club = client("club", origins=[ORIGIN])
    limits = {"tickets_per_address": 0, "waiting_per_address": 0}
    async with (
        AsyncExitStack() as stack,
        running(tmp_path, http, clients={"shop": client("shop"), "club": club}, limits=limits) as service,
    ):
        stay = await streams(stack, http, service, client_id="shop")
        go = await streams(stack, http, service, client_id="club")
        change(tmp_path, clients={"shop": client("shop", lang="zh")})
        status, out, err = await run("reload", cwd=tmp_path)
        assert (status, err) == (0, "")
        assert out.splitlines()[1:] == ["  clients.shop.lang: changed", "  clients.club: removed"]
        async with asyncio.timeout(5):  # less than the time between two heartbeats
            await asyncio.gather(*map(ended, go))
        assert not any(stream.content.at_eof() for stream in stay)
        # Each goes on to the end of its ticket, and hears of it at once.
        change(tmp_path, clients={"shop": client("shop"), "club": club})
        assert (await run("reload", cwd=tmp_path))[0] == 0
        for stream in stay:
            ticket = stream.url.parent
            bearer = {"Authorization": stream.request_info.headers["Authorization"]}
            async with http.delete(ticket, headers=bearer) as response:
                assert response.status == 204
            assert (await event(stream))["data"]["status"] == "cancelled"


async def test_sighup_reloads_and_faults_change_nothing(tmp_path: Path, http: ClientSession) -> None:
    async with running(tmp_path, http) as service:
        change(tmp_path, clients={"shop": client("shop", accounts=["other"])})
        told = await run("reload", cwd=tmp_path)
        fault = "clients.shop.accounts: must be names under accounts; missing there: other"
        assert told[0] == 2
        assert told[2].splitlines()[1:] == [fault]
        service.process.send_signal(signal.SIGHUP)
        await logged(service, times=2, text=f"reload: refused, the settings stay as they were: {fault}")
        await service.login(http)
        change(tmp_path, clients={"club": client("club", origins=[ORIGIN])})
        service.process.send_signal(signal.SIGHUP)
        await logged(service, times=1, text="reload: clients.shop: removed, clients.club: added")
        body = {"purpose": "login", "client_id": "shop"}
        async with http.post(f"{service.url}/v1/tickets", json=body, headers={"Origin": ORIGIN}) as response:
            await problem(response, 403, "forbidden-origin")


async def test_sighup_does_not_end_a_process_that_starts(tmp_path: Path) -> None:
    """Red when a reload just after a restart kills the process."""
    os.mkfifo(file := tmp_path / "config.yaml")
    starting = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "serve"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    with await asyncio.to_thread(file.open, "w") as configuration:  # returns when the process reads
        starting.send_signal(signal.SIGHUP)
        configuration.write("unknown: 1\n")
    _, err = await asyncio.wait_for(starting.communicate(), 30)
    assert starting.returncode == 2
    assert b"unknown" in err


async def logged(service: Service, *, times: int, text: str) -> None:
    async with asyncio.timeout(30):
        while service.log.read_text().count(text) < times:
            await asyncio.sleep(0.02)


async def test_what_needs_a_restart_is_said(tmp_path: Path, http: ClientSession) -> None:
    async with running(tmp_path, http) as service:
        public_url = service.url
        change(tmp_path, server={"port": 1, "public_url": public_url}, limits={"waiting": 9})
        status, out, err = await run("reload", cwd=tmp_path)
        assert (status, err) == (0, "")
        assert out.splitlines()[1:] == [
            "  limits.waiting: changed",
            "  server.port: has changed, and takes effect with a restart",
        ]
        await service.login(http)


async def test_every_process_of_the_data_folder_reloads(
    tmp_path: Path, redis_url: str, http: ClientSession
) -> None:
    """Red when a second process takes the socket of the first."""
    stores = {"redis": {"url": redis_url}, "secret_key": "k" * 40, "data_dir": str(tmp_path / "var")}
    async with AsyncExitStack() as stack:
        for name in ("one", "two"):
            (folder := tmp_path / name).mkdir()
            await stack.enter_async_context(running(folder, http, **stores))
        sections = {"clients": {"shop": client("shop", lang="zh")}}
        change(tmp_path / "one", **sections)
        change(tmp_path / "two", clients={"shop": client("shop", lang="xx")})
        status, out, err = await run("reload", cwd=tmp_path / "one")
        assert (status, out.count("clients.shop.lang: changed")) == (2, 1)
        assert "clients.shop.lang: must be zh or en" in err


async def test_a_rotated_key_is_taken_and_tickets_of_the_old_one_go_on(
    tmp_path: Path, http: ClientSession
) -> None:
    async with running(tmp_path, http) as service:
        address, bearer, _ = await service.login(http)
        assert (await run("keys", "rotate", cwd=tmp_path))[0] == 0
        status, out, _ = await run("reload", cwd=tmp_path)
        assert (status, out.splitlines()[1:]) == (0, ["  secret_key: changed"])
        assert (await run("reload", cwd=tmp_path))[1].endswith("reloaded, nothing has changed\n")
        async with http.get(address, headers=bearer) as response:
            assert response.status == 200
        await service.login(http)
        status, out, _ = await run("audit", cwd=tmp_path)
        assert status == 0
        assert "key_rotated" in out


async def test_without_a_process_it_fails(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data_dir: elsewhere\nunknown: 1\n")
    assert await run("reload", cwd=tmp_path) == (
        *(1, ""),
        "scanbind: no process of scanbind is running with data_dir elsewhere\n",
    )
    (tmp_path / "config.yaml").write_text("- a list\n")
    status, _, err = await run("reload", cwd=tmp_path)
    assert (status, len(err.splitlines())) == (2, 1)


async def test_a_data_folder_that_takes_no_socket_leaves_sighup(tmp_path: Path, http: ClientSession) -> None:
    """Red when a socket that cannot be created keeps the service from starting."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "control").write_text("")
    async with running(tmp_path, http) as service:
        change(tmp_path, limits={"waiting": 9})
        service.process.send_signal(signal.SIGHUP)
        await logged(service, times=1, text="reload: limits.waiting: changed")
        assert "control: `scanbind reload` cannot reach this process, SIGHUP can" in service.log.read_text()
