"""A restore is killed at each of its changes of files; data_dir has the old database or the new one.

Red when the restored database is there while the former secret key or the data of Redis still is, and when one
is lost.
"""

import os
import subprocess
import sys
from pathlib import Path

from backup_files import backup_of, filled, openids

ROOT = Path(__file__).parents[3]
# Restores in one forked process after the other; the n-th kills itself at its n-th change of a file in data_dir.
PROGRAM = """
import asyncio, itertools, os, shutil, signal, sys
from pathlib import Path
from backup_files import NOW, settings_in
from service.backups import restoring
folder = Path(sys.argv[1])
CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir"}
def run(number):
    counted = itertools.count()
    def hook(event, arguments):
        if event in CHANGES and str(folder) in str(arguments) and next(counted) == number:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    with (folder / "backup.tar").open("rb") as source:
        asyncio.run(restoring.restore(settings_in(folder / f"var{number}"), source, now=NOW, force=True))
for number in range(100):
    shutil.copytree(folder / "var", folder / f"var{number}")
    if not (child := os.fork()):
        run(number)
        os._exit(0)
    if not os.waitpid(child, 0)[1]:
        break
print(number)
"""


def test_a_killed_restore_leaves_the_old_or_the_new_data(tmp_path: Path) -> None:
    filled(tmp_path / "source", "new")
    backup_of(tmp_path / "source", tmp_path / "backup.tar")
    filled(tmp_path / "var", "old")
    (tmp_path / "var" / "secret_key").write_text("k" * 40)
    (tmp_path / "var" / "valkey" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "var" / "valkey" / "appendonlydir" / "file").touch()
    environ = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'lib'}"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = [state(tmp_path / f"var{number}") for number in range(int(ran.stdout) + 1)]
    assert found == sorted(found, reverse=True), "once it is new, it stays new"
    assert len(set(found)) >= 4, found
    assert all((key, redis) == (False, False) for one, key, redis in found if one == "new")


def state(data_dir: Path) -> tuple[str, bool, bool]:
    """Return whose database it is, and whether the former key and data of Redis are there."""
    for kept in data_dir.glob("*.before-restore-*"):
        assert openids(kept) == ["old"]
    [openid] = openids(data_dir / "scanbind.sqlite3")
    key, redis = data_dir / "secret_key", data_dir / "valkey" / "appendonlydir"
    return openid, key.exists(), redis.exists()
