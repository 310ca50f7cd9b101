"""A reload by its use case: one at a time, each logged, and a store that hangs ends it.

Covers: service.server.control.
"""

import asyncio
from typing import Any

import pytest
from harness import World

from models.errors import StoreUnavailable
from service.config.settings import ConfigError, Settings
from service.control.asking import Answer, ask
from service.server import reloading
from service.server.control import controlled
from service.server.generations import Generations
from service.server.reloading import Reloading


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.name == "service.server.reloading"]


async def test_what_changed_is_told_and_logged(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "service.server.reloading")
    world: World = await make()
    plain = {"mode": "plain", "allow_unsigned_body": True}
    official = {name: getattr(world.sandbox.accounts[0], name) for name in ("appid", "secret", "token")}
    reloaded = await world.reload(
        accounts={"main": {**official, **plain, "api_base": world.wechat}}, redis={"url": "embedded"}
    )
    assert "accounts.main.mode: changed" in reloaded.changed
    assert reloaded.restart == ["redis: has changed, and takes effect with a restart"]
    assert reloaded.warnings[0].startswith("accounts.main.mode: plain mode: nothing signs")
    told, *warnings = lines(caplog)
    assert told == f"reload: {', '.join(reloaded.changed)}"
    assert warnings == [f"reload: {line}" for line in (*reloaded.restart, *reloaded.warnings)]


async def test_faults_are_logged_and_raised(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError):
        await world.reload(limits={"waiting": "many"})
    assert lines(caplog) == [
        "reload: refused, the settings stay as they were: limits.waiting: must be a whole number"
    ]


async def test_a_store_that_hangs_ends_the_reload(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when a reload waits for ever, and with it all later ones."""

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as hanging:
        hanging.setattr(reloading, "_PATIENCE", 0.1)
        hanging.setattr("service.server.app.reencryption.check", hang)
        with pytest.raises(StoreUnavailable, match="a store did not answer within"):
            await world.reload(limits={"waiting": 9})
    await world.reload(limits={"waiting": 9})


async def test_the_stop_does_not_wait_for_a_reload_that_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the process is ended by force because it waits for the answer to a command."""
    begun = asyncio.Event()

    async def hang(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("service.server.app.reencryption.check", hang)
    data_dir = world.settings.data_dir
    reload = Reloading(generations=world.service.generations, load=lambda: world.settings)
    async with asyncio.timeout(5):
        async with controlled(data_dir, reload):
            asking = asyncio.create_task(ask(data_dir, "POST", "/reload"))
            await begun.wait()
        assert await asking == [Answer(0, {})]


async def test_one_reload_runs_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when two reloads replace one generation, of which one would never be closed."""
    running, most = 0, 0
    replace = Generations.replace

    async def counted(self: Generations, settings: Settings) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await replace(self, settings)
        running -= 1

    monkeypatch.setattr(Generations, "replace", counted)
    one = Reloading(generations=world.service.generations, load=lambda: world.settings)
    await asyncio.gather(*(one.reload() for _ in range(3)))
    assert most == 1


async def test_a_signal_reloads_again_after_a_fault(world: World) -> None:
    """Red when a configuration with faults ends the task that waits for SIGHUP."""
    asked = asyncio.Event()
    results = [ConfigError(["clients: is empty"]), world.settings]

    def load() -> Settings:
        result = results.pop(0)
        if isinstance(result, ConfigError):
            raise result
        return result

    running = asyncio.create_task(Reloading(generations=world.service.generations, load=load).run(asked))
    asked.set()
    async with asyncio.timeout(10):
        while len(results) > 1:
            await asyncio.sleep(0.01)
        asked.set()
        while results:
            await asyncio.sleep(0.01)
    running.cancel()
