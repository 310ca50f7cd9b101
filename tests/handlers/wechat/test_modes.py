"""A push in another mode than the account's: the log names the mode in WeChat's console and the configured one.

Red when `_log_refusal` does not tell it from other refusals, and when an unsigned request is taken for such a
push.
"""

import logging
from typing import Any

import pytest
from posting import prepared

from service.wechat.push_account import Mode

CONSOLE = {
    Mode.PLAIN: "plain mode (明文模式)",
    Mode.COMPATIBLE: "compatible mode (兼容模式)",
    Mode.SAFE: "safe mode (安全模式)",
}


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage().startswith("callback: refused a request")]


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(
    ("configured", "console", "status"),
    [
        (Mode.SAFE, Mode.SAFE, 200),
        (Mode.SAFE, Mode.COMPATIBLE, 403),
        (Mode.SAFE, Mode.PLAIN, 403),
        (Mode.COMPATIBLE, Mode.SAFE, 200),
        (Mode.COMPATIBLE, Mode.COMPATIBLE, 200),
        (Mode.COMPATIBLE, Mode.PLAIN, 403),
        (Mode.PLAIN, Mode.SAFE, 400),
        (Mode.PLAIN, Mode.COMPATIBLE, 400),
        (Mode.PLAIN, Mode.PLAIN, 200),
    ],
)
async def test_a_push_in_the_wrong_mode_is_a_warning_that_names_both(
    make: Any, caplog: pytest.LogCaptureFixture, *, configured: Mode, console: Mode, status: int, form: str
) -> None:
    world = await make(accounts={"main": {"mode": configured, "allow_unsigned_body": configured is Mode.PLAIN}})
    push, page = await prepared(world)
    caplog.set_level(logging.INFO)
    request = push.request(mode=console, format=form)
    assert (await push.send(request)).status == status
    assert (await page.poll())["status"] == ("confirmed" if status == 200 else "pending")
    if status == 200:
        assert told(caplog) == []
        return
    [record] = told(caplog)
    assert (record.levelno, vars(record)["fault"]) == (logging.WARNING, "mode")
    assert f"WeChat's console has {CONSOLE[console]}" in record.getMessage()
    assert f"accounts.main.mode is {configured}:" in record.getMessage()
    assert push.contact.openid not in record.getMessage()


@pytest.mark.parametrize("configured", list(Mode))
async def test_a_request_that_is_not_signed_is_no_push_in_the_wrong_mode(
    make: Any, caplog: pytest.LogCaptureFixture, configured: Mode
) -> None:
    world = await make(accounts={"main": {"mode": configured, "allow_unsigned_body": configured is Mode.PLAIN}})
    push, _ = await prepared(world)
    caplog.set_level(logging.INFO)
    for console in Mode:
        request = push.request(mode=console)
        for name in ("signature", "msg_signature"):
            if name in request.query:
                request.query[name] = "0" * 40
        assert (await push.send(request)).status in (400, 403)
    assert [(record.levelno, vars(record)["fault"]) for record in told(caplog)] == [
        (logging.INFO, "signature")
    ] * 3
