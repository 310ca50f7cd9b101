"""Each fault of a configuration is one line with its path, by the real command; no part of a secret is printed.

Covers: service.config.methods, service.config.store_url, service.config.fault.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bad_configurations import FILES, URLS, VALUES, Bad
from bad_methods import METHODS
from bad_webhooks import WEBHOOKS
from config_files import tree

from service.cli.main import main

ROOT = Path(__file__).parents[3]
TABLE = URLS | VALUES | FILES | METHODS | WEBHOOKS

Checked = Callable[[str, str], tuple[int, str, str]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    def command(name: str, file: str) -> tuple[int, str, str]:
        status = main([name, "--config", file])
        return status, *capsys.readouterr()

    return command


def write(bad: Bad, file: Path) -> None:
    given = bad.given
    if isinstance(given, dict):
        given = yaml.safe_dump(tree(**given), allow_unicode=True)
    file.write_bytes(given if isinstance(given, bytes) else given.encode())


def assert_hidden(secret: str, text: str) -> None:
    parts = {secret[start : start + 4] for start in range(max(1, len(secret) - 3))}
    assert [part for part in parts if part in text] == []


@pytest.mark.parametrize("name", TABLE)
def test_each_fault_has_its_own_line(
    name: str, check: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red for most when a check is removed; for the URLs when `_check_reading` or a form is."""
    bad, file = TABLE[name], tmp_path / "c.yaml"
    write(bad, file)
    for variable, value in bad.environ.items():
        monkeypatch.setenv(variable, value)
    for command in ("check-config", "serve"):
        status, out, err = check(command, str(file))
        assert err.replace(str(file), "FILE").splitlines() == list(bad.lines)
        assert (status, out) == (2, "")
        assert_hidden(bad.secret, err)


def test_there_are_enough_bad_configurations() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize("name", ["a ℀, which stands for a/c", "GBK", "an alias", "one appid twice"])
def test_a_process_prints_nothing_else(name: str, tmp_path: Path) -> None:
    bad, file = TABLE[name], tmp_path / "c.yaml"
    write(bad, file)
    command = [sys.executable, "-X", "dev", "-m", "service", "serve", "--config", str(file)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.replace(str(file), "FILE").splitlines() == list(bad.lines)


@pytest.mark.parametrize("command", ["check-config", "serve", "migrate", "doctor", "audit", "widget"])
def test_a_file_that_cannot_be_read_is_named(command: str, check: Checked, tmp_path: Path) -> None:
    assert check(command, str(tmp_path)) == (2, "", f"{tmp_path}: cannot be read: Is a directory\n")
    missing = tmp_path / "none.yaml"
    assert check(command, str(missing)) == (2, "", f"{missing}: cannot be read: No such file or directory\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(check: Checked, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.touch(mode=0)
    assert check("check-config", str(file)) == (2, "", f"{file}: cannot be read: Permission denied\n")


LINKS = {
    "SCANBIND_SERVICE_HOST": "10.0.0.1",
    "SCANBIND_SERVICE_PORT": "8080",
    "SCANBIND_SERVICE_PORT_HTTP": "8080",
    "SCANBIND_SERVICE_PORT_DNS_UDP": "53",
    "SCANBIND_PORT": "tcp://10.0.0.1:8080",
    "SCANBIND_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "SCANBIND_PORT_8080_TCP_PROTO": "tcp",
    "SCANBIND_PORT_8080_TCP_PORT": "8080",
    "SCANBIND_PORT_8080_TCP_ADDR": "10.0.0.1",
    "SCANBIND_PORT_53_UDP": "udp://10.0.0.1:53",
    "SCANBIND_PORT_53_UDP_PROTO": "udp",
    "SCANBIND_PORT_53_UDP_PORT": "53",
    "SCANBIND_PORT_53_UDP_ADDR": "10.0.0.1",
    "SCANBIND_REDIS_SERVICE_HOST": "fd00::7",
    "SCANBIND_REDIS_PORT": "tcp://[fd00::7]:6379",
    "SCANBIND_REDIS_PORT_6379_TCP_ADDR": "fd00::7",
}


def test_variables_of_kubernetes_are_left_out_with_one_warning(
    check: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `overlay` takes them for settings."""
    file = tmp_path / "c.yaml"
    write(Bad({}, ()), file)
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    status, out, err = check("check-config", str(file))
    assert (status, out) == (0, "configuration is good\n")
    assert err == (
        "SCANBIND_PORT: warning: left out and 15 more, as Kubernetes sets it for a Service; "
        "set enableServiceLinks: false in the pod, or name the Service differently\n"
    )


@pytest.mark.parametrize("name", LINKS)
def test_each_variable_of_kubernetes_is_refused_with_another_value(
    name: str, check: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.yaml"
    write(Bad({}, ()), file)
    monkeypatch.setenv(name, "Xk9Vw3Jq8Zp5")
    path = name.removeprefix("SCANBIND_").lower()
    assert check("check-config", str(file)) == (2, "", f"{path}: unknown key ({name})\n")


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://login.example", True),
        ("http://203.0.113.7:8080", True),
        ("http://[2001:db8::1]", True),
        ("https://login.example", False),
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://[::1]:8080", False),
        ("http://192.168.1.7", False),
        ("http://172.20.0.2", False),
        ("http://[fd00::1]", False),
        ("http://nas.local", False),
        ("http://scanbind:8080", False),
    ],
)
def test_a_public_address_without_tls_is_good_but_warned_of(
    url: str, warned: bool, check: Checked, tmp_path: Path
) -> None:
    file = tmp_path / "c.yaml"
    write(Bad({"server__public_url": url}, ()), file)
    status, out, err = check("check-config", str(file))
    assert (status, out) == (0, "configuration is good\n")
    warning = (
        "server.public_url: warning: is not https, so passwords and login codes cross the internet unencrypted; "
        "serve it over https\n"
    )
    assert err == (warning if warned else "")


def test_a_file_may_have_a_mark_and_any_line_ends(check: Checked, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    text = yaml.safe_dump(tree(clients__shop__name="示例商城：主站"), allow_unicode=True)
    for content in (
        text.encode("utf-8-sig"),
        text.encode("utf-16"),
        text.replace("\n", "\r\n").encode(),
        json.dumps(tree()).encode(),
    ):
        file.write_bytes(content)
        assert check("check-config", str(file)) == (0, "configuration is good\n", "")
