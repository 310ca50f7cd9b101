"""Log lines as JSON for log collectors."""

import asyncio
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.observability import logs


@pytest.fixture(autouse=True)
def _undisturbed() -> Iterator[None]:
    """Give pytest its own handlers back, and every logger its level."""
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in logs.QUIET}
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # or `force` would close pytest's
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    for name, kept in levels.items():
        logging.getLogger(name).setLevel(kept)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_when_how_grave_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    logging.getLogger("service.x").warning("绑定 %s\nsecond line", "done", extra={"account": "main"})
    [line] = lines(capsys)
    assert list(line) == ["time", "level", "logger", "message", "account"]
    assert line["level"] == "warning"
    assert line["logger"] == "service.x"
    assert line["message"] == "绑定 done\nsecond line"
    assert line["account"] == "main"
    assert line["time"].endswith("Z")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta()


async def test_a_line_carries_the_request_it_was_written_for(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()

    async def answer(request_id: str) -> None:
        logs.REQUEST_ID.set(request_id)
        await asyncio.sleep(0)
        logging.getLogger("x").info("answered %s", request_id)

    await asyncio.gather(*(answer(f"r{number}") for number in range(5)))
    found = lines(capsys)
    assert len(found) == 5
    assert all(line["message"] == f"answered {line['request_id']}" for line in found)


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    try:
        int("inside")
    except ValueError:
        logging.getLogger("x").exception("failed")
    [line] = lines(capsys)
    assert "ValueError: invalid literal" in line["exc_info"]


def test_no_value_makes_a_line_of_any_length(capsys: pytest.CaptureFixture[str]) -> None:
    """Red when `_cut` returns what it is given."""
    logs.setup()
    try:
        float("x" * 1_000_000 + " the end")
    except ValueError:
        logging.getLogger("x").exception("y" * 1_000_000, extra={"detail": "z" * 1_000_000})
    [line] = lines(capsys)
    assert all(len(line[name]) < logs.LONGEST_VALUE + 50 for name in ("message", "detail", "exc_info"))
    assert line["exc_info"].startswith("Traceback")
    assert line["exc_info"].endswith("the end'")


def test_the_level_is_chosen_and_setting_up_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    logs.setup("WARNING")
    logging.getLogger("x").info("unheard")
    logging.getLogger("x").warning("heard")
    assert [line["message"] for line in lines(capsys)] == ["heard"]


def test_warnings_of_python_are_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", UserWarning, stacklevel=1)
    [line] = lines(capsys)
    assert "old ways" in line["message"]


async def test_no_access_log_writes_the_query_of_a_push(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("DEBUG")
    app = web.Application()
    app.router.add_post("/wechat/main", _answer)
    async with TestClient(TestServer(app)) as client:
        await client.post("/wechat/main?signature=hunter2&openid=o-hunter2")
    assert "hunter2" not in capsys.readouterr().err


async def _answer(_: web.Request) -> web.Response:
    return web.Response(text="success")
