"""Red when the doctor does not say that people cannot find the account which takes their passcodes."""

from pathlib import Path
from typing import Any

from config_files import ACCOUNT, CLIENT

from service.config.settings import validate
from service.doctor.passcodes import check_passcodes


async def said(methods: list[str], **changes: Any) -> list[str]:
    values = {"accounts": {"main": ACCOUNT | changes}, "clients": {"shop": CLIENT | {"methods": methods}}}
    return [str(finding) async for finding in check_passcodes(validate(values))]


async def test_an_account_that_people_cannot_find_is_named(tmp_path: Path) -> None:
    picture = tmp_path / "own.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    nameless, untested = await said(["passcode"], picture=str(picture))
    assert nameless.startswith("warning  accounts.main: ")
    assert "set accounts.main.name" in nameless
    assert "cannot be tested from here" in untested
    hidden, _ = await said(["passcode"], name="示例")
    assert "set accounts.main.picture" in hidden
    assert await said(["passcode"], name="示例", picture=str(picture)) == [untested]


async def test_accounts_without_the_method_are_left_out() -> None:
    assert await said(["scan"]) == []
