"""`scanbind bindings migrate` as a process: its exit status, and SIGKILL at random moments until it ends.

Red when a batch is not one transaction, or what is done is asked for again.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from random import Random

import pytest
from migrating import NEW, OLD, Migration
from migration_checks import check_nothing_lost

from sandbox.migrations import WINDOW

ROOT = Path(__file__).parents[3]
PEOPLE = 350
KILLS = 4
SEED = int(os.environ.get("SEED", "1"))


async def started(moving: Migration, folder: Path) -> Process:
    file = folder / "config.yaml"
    file.write_text(json.dumps(moving.tree()))  # JSON is YAML
    command = ("bindings", "migrate", "--from", OLD.gh_id, "--account", moving.account, "--config", str(file))
    where = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = (sys.executable, "-m", "service", *command)
    return await asyncio.create_subprocess_exec(*run, cwd=folder, env=where, stdout=PIPE, stderr=PIPE)


async def killed(moving: Migration, folder: Path, after: float) -> None:
    """Run the command until some seconds after its next call, and kill it."""
    process, calls = await started(moving, folder), used(moving)
    async with asyncio.timeout(60):
        while used(moving) == calls and process.returncode is None:
            await asyncio.sleep(0.005)
    await asyncio.sleep(after)
    if process.returncode is None:
        process.kill()
    await process.communicate()


def used(moving: Migration) -> int:
    quota = moving.sandbox.migrations._calls.get(NEW.appid)
    return quota.used if quota else 0


@pytest.mark.timeout(200)
async def test_a_migration_that_is_killed_loses_and_doubles_nothing(moving: Migration, tmp_path: Path) -> None:
    chance = Random(SEED)
    people = [await moving.person(shop=str(number)) for number in range(PEOPLE)]
    for person in people[::7]:
        await moving.bind(person, club=person.id)
    before = await moving.rows()
    moving.declare()
    for _ in range(KILLS):
        await killed(moving, tmp_path, chance.uniform(0, 0.3))
    process = await started(moving, tmp_path)
    told, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b""), told
    await check_nothing_lost(moving, people, before)
    rows = await moving.rows()
    assert {row["appid"] for row in rows["followers"]} == {NEW.appid}
    assert [row["change"] for row in rows["history"]].count("migrated") == PEOPLE
    counted = [row["detail"].partition(" ")[0] for row in rows["audit"] if row["event"] == "identities_migrated"]
    assert sum(map(int, counted)) == PEOPLE
    assert used(moving) <= PEOPLE // 100 + 1 + KILLS


async def test_the_command_fails_if_it_leaves_what_the_operator_can_put_right(
    moving: Migration, tmp_path: Path
) -> None:
    anna = await moving.person(shop="42")
    await moving.bind(anna, shop="43")
    moving.declare()
    process = await started(moving, tmp_path)
    told, errors = await process.communicate()
    assert (process.returncode, errors) == (1, b"")
    line, summary = told.decode().splitlines()
    assert 'user "42" and, as ' in line
    assert summary.endswith("0 unknown to WeChat, 1 bound to two users")


async def test_a_refusal_of_wechat_is_one_line_on_stderr(moving: Migration, tmp_path: Path) -> None:
    await moving.person(shop="42")
    moving.declare()
    moving.clock.advance(WINDOW)
    process = await started(moving, tmp_path)
    told, errors = await process.communicate()
    assert (process.returncode, len(told.splitlines()), len(errors.splitlines())) == (1, 1, 1)
    assert b"15 days" in errors
