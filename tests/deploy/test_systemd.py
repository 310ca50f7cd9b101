"""The unit of systemd is valid, hardened, and stops, reloads and restarts the service as it needs it.

Red when systemd does not know a line, when a protection is dropped and the exposure rises above LARGEST_EXPOSURE,
when a faulty configuration is started again and again, and when a stop leaves the embedded Valkey to systemd.
"""

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

UNIT: Final = Path(__file__).parents[2] / "deploy" / "systemd" / "scanbind.service"
LARGEST_EXPOSURE: Final = 13
"""In tenths, as `systemd-analyze security --threshold` takes it; a service without protection has 96."""
systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze, which is not on this machine"
)


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def settings() -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in UNIT.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return dict(found)


@systemd
def test_systemd_knows_every_line(tmp_path: Path) -> None:
    here = UNIT.read_text("utf-8").replace("/opt/scanbind", str(Path(sys.executable).parents[1]))
    unit = tmp_path / UNIT.name
    unit.write_text(here)
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(here.replace("ProtectClock=", "ProtectClocks="))
    assert "'ProtectClocks'" in analyze("verify", unit).stderr


@systemd
def test_its_exposure_is_small(tmp_path: Path) -> None:
    security = ("security", "--offline=true", f"--threshold={LARGEST_EXPOSURE}")
    assert analyze(*security, UNIT).returncode == 0
    open_unit = tmp_path / UNIT.name
    open_unit.write_text(UNIT.read_text("utf-8").replace("SystemCallFilter=@system-service\n", ""))
    assert analyze(*security, open_unit).returncode != 0


def test_it_stops_the_service_alone_and_in_time() -> None:
    told = settings()
    assert (told["KillMode"], told["TimeoutStopSec"]) == (["mixed"], ["15"])
    assert "KillSignal" not in told


def test_it_starts_again_after_a_failure_but_not_with_a_faulty_configuration() -> None:
    told = settings()
    assert (told["Restart"], told["RestartPreventExitStatus"]) == (["on-failure"], ["2"])
    assert told["StartLimitIntervalSec"] == ["0"]
    assert "ExecStartPre" not in told


def test_it_runs_as_a_user_who_may_open_enough_files_and_writes_in_one_folder() -> None:
    told = settings()
    assert (told["User"], told["LimitNOFILE"]) == (["scanbind"], ["65536"])
    assert (told["StateDirectory"], told["StateDirectoryMode"]) == (["scanbind"], ["0700"])
    assert (told["ProtectSystem"], "ReadWritePaths" in told) == (["strict"], False)
    assert "SCANBIND_DATA_DIR=%S/scanbind" in told["Environment"]


def test_the_secret_key_is_a_credential() -> None:
    told = settings()
    [(name, path)] = [line.split(":") for line in told["LoadCredential"]]
    assert path.startswith("/etc/scanbind/")
    assert f"SCANBIND_SECRET_KEY_FILE=%d/{name}" in told["Environment"]


def test_it_can_use_the_embedded_valkey_and_stores_of_others() -> None:
    [families] = settings()["RestrictAddressFamilies"]
    assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(families.split())


def test_start_and_reload_read_the_same_configuration() -> None:
    told = settings()
    [start], [reload] = told["ExecStart"], told["ExecReload"]
    assert start == reload.replace(" reload ", " serve ") != reload
