"""`scanbind backup`, `verify` and `restore` as an operator calls them: what they print, and their exit status."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_files import filled
from config_files import tree

from service.cli.main import main

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command beside a configuration whose database has a follower; give status, output and errors."""
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / "var", "o1")
    (tmp_path / "config.yaml").write_text(json.dumps(tree(data_dir=str(tmp_path / "var"))))

    def command(*argv: str) -> tuple[int, str, str]:
        status = main(argv)
        return status, *capsys.readouterr()

    return command


def test_a_backup_is_described_and_verified(run: Run) -> None:
    status, out, err = run("backup", "b.tar")
    assert (status, err) == (0, "")
    described, keys = out.splitlines()
    assert described.startswith("b.tar: a backup of 20")
    assert "database of 2" in described
    assert described.endswith(" bytes at revision 0011")
    assert keys.startswith("It contains no key: keep the configuration, and encryption.keys above all, ")
    assert run("verify", "b.tar") == (0, f"{described}\n", "")
    assert run("verify", "b.tar", "--config", "config.yaml") == (0, f"{described}\n", "")


def test_a_backup_goes_through_a_pipe(run: Run, tmp_path: Path) -> None:
    command = f"{sys.executable} -m service"
    piped = subprocess.run(
        f"{command} backup - | {command} verify -",
        shell=True,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert piped.stdout.startswith("-: a backup of 20")
    assert "It contains no key" in piped.stderr
    assert not (tmp_path / "-").exists()


def test_each_fault_of_a_backup_is_a_line(run: Run, tmp_path: Path) -> None:
    run("backup", "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(content[:-1])
    assert run("verify", "b.tar") == (1, "", "b.tar: it is truncated\n")
    (tmp_path / "b.tar").write_bytes(b"x" * 4096)
    assert run("verify", "b.tar") == (1, "", "b.tar: it is not a backup of scanbind, or it is damaged\n")
    assert run("verify", "none.tar") == (1, "", "scanbind: none.tar: No such file or directory\n")


def test_an_external_database_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    external = tree(database__url="postgresql://u@localhost/n", secret_key="k" * 40)
    (tmp_path / "config.yaml").write_text(json.dumps(external | {"data_dir": str(tmp_path / "var")}))
    status, out, err = run("backup", "b.tar")
    assert (status, out) == (2, "")
    assert err.startswith("database.url: is not embedded: ")


def test_a_restore_says_what_it_did_and_what_is_left_to_do(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", "b.tar")
    status, out, err = run("restore", "b.tar")
    assert (status, out) == (1, "")
    assert err.endswith("scanbind.sqlite3 exists: with --force it is kept under another name\n")
    status, out, err = run("restore", "b.tar", "--force")
    assert (status, err) == (0, "")
    assert re.fullmatch(
        r".*/var: restored a backup of .* at revision 0011\n"
        r"the database that was there is now .*/var/scanbind\.sqlite3\.before-restore-\d{8}T\d{6}Z\n",
        out,
    )
    monkeypatch.setenv("SCANBIND_SECRET_KEY", "k" * 40)
    monkeypatch.setenv("SCANBIND_DATA_DIR", str(tmp_path / "other"))
    status, _, err = run("restore", "b.tar")
    assert status == 0
    assert err.startswith("secret_key: warning: is set in your configuration: put a new key in place of all old")
    assert "redis.url" not in err
    monkeypatch.setenv("SCANBIND_REDIS__URL", "redis://redis.example/0")
    status, _, err = run("restore", "b.tar", "--force")
    assert status == 0
    assert err.endswith(
        "redis.url: warning: is not embedded: empty that Redis (FLUSHDB) before the service starts\n"
    )
