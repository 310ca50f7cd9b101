"""Decoding is stopped in time, and its process ends."""

import asyncio
import io
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sandbox import qr_reader
from sandbox.qr_decoder import BadPicture
from sandbox.qr_reader import Full, QrReader


class Started(list[Process]):
    """The processes that were started, and how many there were at a time."""

    at_once = 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    real, found = asyncio.create_subprocess_exec, Started()

    async def start(*args: Any, **kwargs: Any) -> Process:
        found.append(await real(*args, **kwargs))
        found.at_once = max(found.at_once, sum(process.returncode is None for process in found))
        return found[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    return found


async def begun(started: Started) -> Process:
    async with asyncio.timeout(10):
        while not started:
            await asyncio.sleep(0.01)
    return started[0]


def blank() -> bytes:
    out = io.BytesIO()
    Image.new("L", (300, 200), 200).save(out, "PNG")
    return out.getvalue()


async def test_a_picture_that_takes_too_long_is_given_up_and_the_next_is_read(
    wall: bytes, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = QrReader()
    with monkeypatch.context() as patched:
        patched.setattr(qr_reader, "LOOKS_FOR", 0.5)
        with pytest.raises(BadPicture) as told:
            await one.read(wall)
    assert told.value.reason == "too_slow"
    assert started[0].returncode not in (None, 0)
    assert await one.read(blank()) == []


async def test_a_cancelled_read_ends_its_decoder(wall: bytes, started: Started) -> None:
    one = QrReader()
    reading = asyncio.create_task(one.read(wall))
    process = await begun(started)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert process.returncode not in (None, 0)
    assert await one.read(blank()) == []


async def test_pictures_are_looked_at_one_after_the_other(started: Started) -> None:
    one = QrReader()
    await asyncio.gather(*(one.read(blank()) for _ in range(3)))
    assert (len(started), started.at_once) == (3, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system may not bound a process")
async def test_a_process_left_alone_ends_by_itself(
    wall: bytes, started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # stands in for a library that never ends; the bound is on computing, so it computes
    (tmp_path / "zxingcpp.py").write_text("while True: pass\n")
    program = tmp_path / "qr_decoder.py"
    source = Path(qr_reader.qr_decoder.__file__).read_text("utf-8")
    program.write_text(source.replace("_MOST_SECONDS: Final = 10", "_MOST_SECONDS: Final = 1"))
    monkeypatch.setattr(qr_reader.qr_decoder, "__file__", str(program))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(qr_reader, "LOOKS_FOR", 30.0)
    with pytest.raises(BadPicture) as told:
        await QrReader().read(wall)
    assert told.value.reason == "not_a_picture"
    assert started[0].returncode not in (None, 0)


async def test_a_picture_that_ends_the_process_is_no_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "zxingcpp.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGABRT)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BadPicture) as told:
        await QrReader().read(blank())
    assert told.value.reason == "not_a_picture"


async def test_nothing_in_the_folder_it_is_started_in_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert await QrReader().read(blank()) == []


async def test_there_are_so_many_places_and_no_more() -> None:
    one = QrReader()
    held = [one.place() for _ in range(qr_reader.PLACES)]
    for place in held:
        place.__enter__()
    with pytest.raises(Full), one.place():
        pass
    held[0].__exit__(None, None, None)
    with one.place():
        pass
