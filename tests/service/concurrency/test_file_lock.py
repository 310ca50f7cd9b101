"""A lock between processes: one holds it, others wait up to their timeout."""

import asyncio
import os
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.concurrency.file_lock import FOLDER, lock_within, lock_within_async, opened, try_lock


def within(descriptor: int, seconds: float) -> bool:
    return asyncio.run(lock_within_async(descriptor, seconds))


both_ways = pytest.mark.parametrize("wait", [lock_within, within])


def test_a_lock_file_is_made_for_its_owner_alone_and_a_folder_is_not_made(tmp_path: Path) -> None:
    with opened(tmp_path / "lock") as lock:
        assert try_lock(lock)
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    with pytest.raises(FileNotFoundError), opened(tmp_path / "folder", FOLDER):
        pass


def test_a_lock_is_held_by_one_and_free_once_it_is_closed(tmp_path: Path) -> None:
    """Red when `opened` does not close."""
    with opened(tmp_path, FOLDER) as other:
        with opened(tmp_path, FOLDER) as first:
            assert try_lock(first)
            assert try_lock(first)
            assert not try_lock(other)
        assert try_lock(other)


def test_a_process_that_inherited_a_lock_holds_it_for_as_long_as_it_lives(tmp_path: Path) -> None:
    with opened(tmp_path / "lock") as lock:
        assert try_lock(lock)
        heir = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, pass_fds=(lock,))
    with opened(tmp_path / "lock") as lock, heir:
        assert not try_lock(lock)
        heir.communicate()
        assert try_lock(lock)


@both_ways
def test_a_lock_that_is_given_back_in_time_is_taken(wait: Callable[[int, float], bool], tmp_path: Path) -> None:
    """Red when it is tried only once."""
    with opened(tmp_path, FOLDER) as mine:
        held = os.open(tmp_path, FOLDER)
        assert try_lock(held)
        threading.Timer(0.1, os.close, (held,)).start()
        assert wait(mine, 30)


@both_ways
def test_a_lock_that_is_not_given_back_is_not_waited_for_longer(
    wait: Callable[[int, float], bool], tmp_path: Path
) -> None:
    """Red when no time is kept: it would never return."""
    with opened(tmp_path, FOLDER) as held, opened(tmp_path, FOLDER) as mine:
        assert try_lock(held)
        assert not wait(mine, 0.05)


def test_what_cannot_be_locked_is_an_error_and_not_a_lock_held_elsewhere(tmp_path: Path) -> None:
    """Red when `try_lock` takes every OSError for another's lock."""
    with opened(tmp_path, FOLDER) as closed:
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        try_lock(closed)
