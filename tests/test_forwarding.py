"""Runs every block of docs/forwarding.md: unmodified bots of wechatpy and WeRoBot behind a real service.

Red when a push is not what these libraries expect of WeChat, when their replies are not taken, and when their
trouble costs a scan.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiohttp import ClientError, ClientSession
from desk import Desk, ended
from guide import Guide
from harness import World
from serving import port_of_a_process

from service.config.settings import validate
from service.doctor.forwarding import check_forwarding

PAGE: Final = Path(__file__).parent.parent / "docs" / "forwarding.md"
Processes = dict[str, asyncio.subprocess.Process]
MODES: Final = pytest.mark.parametrize("mode", ["safe", "plain"])


class Page:
    """The page's programs and settings, at ports of their own."""

    def __init__(self) -> None:
        self.bot_port, self.robot_port = port_of_a_process(), port_of_a_process()
        guide = Guide(PAGE, {"8888": str(self.bot_port), "8889": str(self.robot_port)})
        self.guide = guide
        self.account = yaml.safe_load(guide.take("yaml"))["accounts"]["main"]
        self.bot, self.start_bot = guide.take("python"), guide.take("sh")
        self.robot, self.start_robot = guide.take("python"), guide.take("sh")
        assert guide.left == []

    def changes(self, mode: str) -> dict[str, Any]:
        """Return what a world's account has of the page, with targets in *mode*."""
        forward = [target | ({"mode": "plain"} if mode == "plain" else {}) for target in self.account["forward"]]
        return {"forward": forward, "welcome": self.account["welcome"], "otherwise": self.account["otherwise"]}

    @asynccontextmanager
    async def running(self, folder: Path, mode: str, *names: str) -> AsyncIterator[Processes]:
        robot = (
            self.robot
            if mode == "safe"
            else "\n".join(line for line in self.robot.splitlines() if not line.startswith("robot.config"))
        )
        programs = {"bot.py": (self.bot, self.start_bot, self.bot_port)}
        programs["robot.py"] = (robot, self.start_robot, self.robot_port)
        async with AsyncExitStack() as stack, ClientSession() as http:
            started = {}
            for name in names:
                program, command, port = programs[name]
                (folder / name).write_text(program + "\n", encoding="utf-8")
                # WeRoBot is not free of warnings
                desk = Desk(folder, self.guide, http, "", "", "", {"PYTHONWARNINGS": "default"})
                started[name] = await stack.enter_async_context(ended(await desk.start(command)))
                await _listening(http, port)
            yield started


async def _listening(http: ClientSession, port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ClientError):
                async with http.get(f"http://127.0.0.1:{port}/wechat"):
                    return
            await asyncio.sleep(0.05)


def test_the_settings_of_the_page_are_valid() -> None:
    account = Page().account
    assert len(validate({"accounts": {"main": account}}).accounts["main"].forward) == 2


@MODES
async def test_bots_of_both_libraries_answer_the_person(
    make: Callable[..., Any], tmp_path: Path, mode: str
) -> None:
    page = Page()
    async with page.running(tmp_path, mode, "bot.py", "robot.py"):
        world: World = await make(accounts={"main": page.changes(mode)})
        assert [finding.ok async for finding in check_forwarding(world.settings)] == [True, True]
        person = await world.person(following=False)
        assert (await world.sandbox.follow(person, by_search=True)).reply == "欢迎关注！\nWelcome!"
        assert await world.say(person, "几点开门？") == "bot: 几点开门？"
        assert (await world.sandbox.noise(person, "image")).reply == "robot: image"
        assert (await world.sandbox.click(person, "MENU")).reply == "robot: click_event"
        assert "Thank you" in (await world.scan(person, await world.login()) or "")


async def test_a_bot_that_hangs_or_dies_costs_no_scan(make: Callable[..., Any], tmp_path: Path) -> None:
    page = Page()
    async with page.running(tmp_path, "safe", "bot.py") as bots:
        changes = page.changes("safe")
        changes["forward"][0]["timeout"] = 1
        world: World = await make(accounts={"main": changes})
        person = await world.person()
        bots["bot.py"].send_signal(signal.SIGSTOP)
        answering = asyncio.create_task(world.say(person, "hello"))
        assert "Thank you" in (await world.scan(await world.person(), await world.login()) or "")
        assert await answering == "[transfer_customer_service]"
        bots["bot.py"].send_signal(signal.SIGCONT)
        assert await world.say(person, "are you back?") == "bot: are you back?"
        bots["bot.py"].kill()
        await bots["bot.py"].wait()
        assert await world.say(person, "and now?") == "[transfer_customer_service]"
        assert "Thank you" in (await world.scan(await world.person(), await world.login()) or "")
