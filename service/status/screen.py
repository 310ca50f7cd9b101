"""Writes the report as lines for a terminal, or as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from models.timestamps import rfc3339
from service.status.report import AccountState, DatabaseState, Down, ProcessState, RedisState, Report, age

_GIB: Final = 1024**3
_NEVER: Final = "no push within 90 days"


def screen(report: Report) -> str:
    """Return the report as lines: what, then its state."""
    lines = [f"{what:<10}{state}" for what, state in _lines(report)]
    return "\n".join([*lines, *(f"fault: {fault}" for fault in report.faults)])


def as_json(report: Report) -> str:
    """Return the report as JSON, with `faults`."""
    return json.dumps({"faults": report.faults, **asdict(report)}, default=rfc3339, ensure_ascii=False, indent=2)


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    yield "scanbind", f"{report.version}, at {rfc3339(report.at)}"
    for process in report.processes:
        yield "process", _process(process, report)
    if not report.processes:
        yield "process", "none is running"
    yield "redis", _redis(report.redis)
    yield "database", _database(report.database)
    if isinstance(report.redis, RedisState):
        for name, account in report.redis.accounts.items():
            yield "account", f"{name}: {_account(account, report)}"
    if isinstance(report.database, DatabaseState) and (counts := report.database.webhooks):
        yield "webhooks", ", ".join(f"{count} {state}" for state, count in counts.items())
    yield (
        "disk",
        f"{report.disk.free / _GIB:.1f} of {report.disk.total / _GIB:.1f} GiB free at {report.disk.folder}",
    )


def _process(process: ProcessState | Down, report: Report) -> str:
    if isinstance(process, Down):
        return f"down: {process.reason}"
    waiting = ", ".join(f"{count} {kind}" for kind, count in process.waiting.items())
    up, loaded = age(report.at - process.started_at), age(report.at - process.loaded_at)
    return (
        f"{process.pid}: version {process.version}, up {up}, configuration loaded {loaded} ago; waiting: {waiting}"
    )


def _redis(redis: RedisState | Down) -> str:
    return f"down: {redis.reason}" if isinstance(redis, Down) else f"{redis.product}, {redis.milliseconds} ms"


def _database(database: DatabaseState | Down) -> str:
    if isinstance(database, Down):
        return f"down: {database.reason}"
    current = database.schema == database.schema_needed
    schema = f"schema {database.schema or 'none'}{'' if current else f', not {database.schema_needed}'}"
    return f"{database.product}, {database.milliseconds} ms, {schema}"


def _account(account: AccountState, report: Report) -> str:
    pushed = account.last_push
    # The clock of the process that wrote it may be a little ahead.
    text = f"last push {age(max(report.at - pushed, timedelta()))} ago ({rfc3339(pushed)})" if pushed else _NEVER
    if account.codes_today is not None:
        text += f", {account.codes_today} of {account.codes_per_day} QR codes today"
    return f"{text}; WeChat refuses more today (45009)" if account.codes_ended else text
