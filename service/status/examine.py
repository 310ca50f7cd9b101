"""Reads everything at the same time, each within two seconds, and never raises: what fails is reported as down."""

import asyncio
import os
import shutil
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from models.errors import StoreUnavailable
from service.config.settings import ConfigError, Settings
from service.control.asking import Answer, ask
from service.status.report import DiskState, Down, ProcessState, Report
from service.status.stores import read_database, read_redis
from service.version import VERSION

T = TypeVar("T")

PATIENCE: Final = 2.0
"""Seconds for each part."""
_PROCESS: Final = 1.5
"""Seconds for each process: less, so that one that hangs does not hide the others."""


async def examine(settings: Settings) -> Report:
    """Return the state of the processes that use `data_dir`, of the stores and of the disk."""
    now = datetime.now(UTC)
    asked = ask(settings.data_dir, "GET", "/status", patience=_PROCESS)
    answers, redis, database = await asyncio.gather(
        _or_down(asked), _or_down(read_redis(settings, now=now)), _or_down(read_database(settings))
    )
    return Report(
        version=VERSION,
        at=now,
        processes=[answers] if isinstance(answers, Down) else _processes(answers),
        redis=redis,
        database=database,
        disk=_disk(settings),
    )


async def _or_down(reading: Coroutine[Any, Any, T]) -> T | Down:
    task = asyncio.create_task(reading)
    # Not awaited after the time is up: a client may take long to end its connection.
    await asyncio.wait({task}, timeout=PATIENCE)
    if not task.done():
        task.cancel()
        return Down(f"no answer within {PATIENCE:.0f} seconds")
    try:
        return task.result()
    except (StoreUnavailable, ConfigError, OSError) as error:
        return Down(str(error))


def _processes(answers: Sequence[Answer]) -> list[ProcessState | Down]:
    return [_process(answer.body) if answer.status else Down("no answer") for answer in answers]


def _process(body: dict[str, Any]) -> ProcessState:
    started, loaded = (datetime.fromisoformat(body[name]) for name in ("started_at", "loaded_at"))
    known = {name: body[name] for name in ("pid", "version", "waiting")}
    return ProcessState(**known, started_at=started, loaded_at=loaded)


def _disk(settings: Settings) -> DiskState:
    """Return the space where `data_dir` is, or will be created."""
    folder = settings.data_dir.absolute()
    found = next(one for one in (folder, *folder.parents) if os.path.isdir(one))  # noqa: PTH112 - never raises
    space = shutil.disk_usage(found)
    return DiskState(folder=str(folder), free=space.free, total=space.total)
