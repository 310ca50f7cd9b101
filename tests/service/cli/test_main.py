"""The command line: output, where it is printed, and exit status of every command.

Covers: service.cli.audit, service.cli.bindings, service.cli.keys, service.cli.privacy, service.cli.serve,
service.cli.setup.
"""

import json
import logging
import os
import platform
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from config_files import COMPLETE, tree

from service.cli.main import main
from service.config.settings import validate
from service.crypto.client_secrets import ClientSecrets
from service.crypto.sealing import SealingKeys
from service.version import VERSION
from service.webhooks.endpoints import endpoints

ROOT = Path(__file__).parents[3]
COMMANDS = (
    "serve",
    "demo",
    "sandbox",
    "migrate",
    "backup",
    "restore",
    "verify",
    "check-config",
    "keys",
    "keys new",
    "keys rotate",
    "doctor",
    "bindings migrate",
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; give status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def command(*argv: str, **environ: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        try:
            status = main(argv)
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return command


@contextmanager
def started(folder: Path, *argv: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a command as a process of its own in *folder*; end it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_every_command_explains_itself(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert all(command in out for command in COMMANDS if " " not in command)
    for command in COMMANDS:
        status, out, _ = run(*command.split(), "--help")
        assert status == 0
        assert f"usage: scanbind {command}" in out


def test_the_version_is_one_line_with_the_python_that_runs_it(run: Run) -> None:
    status, out, _ = run("--version")
    python = re.escape(platform.python_version())
    assert status == 0
    assert re.fullmatch(rf"scanbind {re.escape(VERSION)} \(Python {python}, \S+ \S+\)\n", out)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["serv"],
        ["serve", "--port", "1"],
        ["serve", "now"],
        ["serve", "--log-level", "LOUD"],
        ["demo", "--port", "65536"],
        ["demo", "--lan", "192.168.1.7"],
        ["demo", "--account", "personnel"],
        ["sandbox", "--account", ""],
        ["sandbox", "--port", "-1"],
        ["bindings", "migrate", "--account", "main"],
        ["bindings", "migrate", "--from", "gh 1", "--account", "main"],
        ["sandbox", "--port", "x"],
        ["check-config", "--config"],
        ["keys"],
        ["keys", "new"],
        ["keys", "new", "token"],
        ["keys", "rotate", "secret_key"],
        ["audit", "--event", "exchange-refused"],
        ["audit", "--user-id", "\udcff"],
        ["privacy", "export", "--user", "\udcff"],
    ],
)
def test_wrong_usage_is_status_two(argv: list[str], run: Run) -> None:
    status, out, err = run(*argv)
    assert status == 2
    assert out == ""
    assert "usage: scanbind" in err


def test_a_good_configuration_is_called_good(run: Run, tmp_path: Path) -> None:
    assert run("check-config", **COMPLETE) == (0, "configuration is good\n", "")
    assert list(tmp_path.iterdir()) == [], "checking makes nothing"


@pytest.mark.parametrize("command", ["serve", "migrate", "check-config", "doctor"])
def test_faults_are_lines_on_stderr_and_status_two(command: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("servr: 1\ntickets: {bind_lifetime: 5}\n")
    status, out, err = run(command, "--config", "mine.yaml", SCANBIND_SECRET_KEY="hunter2")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "secret_key: must be 32 characters or more (SCANBIND_SECRET_KEY)",
        "tickets.bind_lifetime: must be from 30 to 1800",
        "servr: unknown key",
    ]


def test_a_wrong_variable_stops_the_demo(run: Run) -> None:
    assert run("demo", SCANBIND_SERVR="1") == (2, "", "servr: unknown key (SCANBIND_SERVR)\n")


def test_a_missing_file_is_a_fault(run: Run) -> None:
    status, _, err = run("serve", "--config", "nowhere.yaml")
    assert (status, err) == (2, "nowhere.yaml: cannot be read: No such file or directory\n")


@pytest.mark.parametrize("kind", ["secret_key", "encryption"])
def test_a_fresh_key_is_all_that_is_printed(kind: str, run: Run, tmp_path: Path) -> None:
    printed = {run("keys", "new", kind)[1] for _ in range(5)}
    assert len(printed) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{64}\n", out) for out in printed)
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_sealing_key_can_be_pasted(run: Run) -> None:
    status, out, err = run("keys", "new", "sealing_key")
    assert status == 0
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", out)
    assert "clients.NAME.sealing_key" in err
    account = {"appid": "wx0123456789abcdef", "secret": "s", "token": "t", "aes_key": "a" * 43}
    shop = {"name": "Shop", "accounts": ["main"], "require_sealed": True, "sealing_key": out.strip()}
    settings = validate({"clients": {"shop": shop}, "accounts": {"main": account}})
    assert "shop" in SealingKeys(settings.clients)


def test_a_fresh_secret_and_its_hash_can_be_pasted(run: Run) -> None:
    status, out, err = run("keys", "new", "client")
    pasted = yaml.safe_load(out)
    assert (status, pasted.keys()) == (0, {"secret", "secret_hash"})
    assert "clients.NAME.secret_hash" in err
    shop = {"name": "Shop", "accounts": ["main"], "secret_hash": pasted["secret_hash"]}
    account = {"appid": "wx0123456789abcdef", "secret": "s", "token": "t", "aes_key": "a" * 43}
    settings = validate({"clients": {"shop": shop}, "accounts": {"main": account}})
    assert ClientSecrets(settings.clients).prove("shop", pasted["secret"].encode())


def test_fresh_keys_of_a_webhook_can_be_pasted(run: Run) -> None:
    status, secret, err = run("keys", "new", "webhook")
    assert (status, "clients.NAME.webhooks" in err) == (0, True)
    _, pasted, _ = run("keys", "new", "webhook_key")
    keys = yaml.safe_load(pasted)
    assert keys.keys() == {"key", "public_key"}
    hooks = [
        {"url": "https://shop.example/1", "secret": secret.strip()},
        {"url": "https://shop.example/2", "key": keys["key"]},
    ]
    by_secret, by_key = endpoints(validate(tree(clients__shop__webhooks=hooks)))
    assert [one.public_key for one in (*by_secret.signers, *by_key.signers)] == [None, keys["public_key"]]


def test_a_rotation_says_what_to_do_next_and_shows_no_key(run: Run, tmp_path: Path) -> None:
    status, out, err = run("keys", "rotate")
    assert (status, err) == (0, "")
    place = Path("var/secret_key")
    assert out == (
        f"added a new key to {place}: reload or restart the service to use it; "
        "keep the older keys for 32 minutes after that\n"
    )
    assert len(place.read_text().split()) == 2


def test_a_configured_key_is_not_rotated(run: Run, tmp_path: Path) -> None:
    status, out, err = run("keys", "rotate", SCANBIND_SECRET_KEY="k" * 40)
    assert (status, out) == (1, "")
    assert err == (
        "scanbind: secret_key is set in your configuration: put a new key before it; "
        "`scanbind keys new secret_key` prints one\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_migrate_says_where_the_database_is(run: Run) -> None:
    status, out, err = run("migrate")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"database is at revision \w+\n", out)


def test_an_account_that_cannot_be_migrated_to_is_a_fault(run: Run) -> None:
    command = ("bindings", "migrate", "--from", "gh_old", "--account", "other")
    assert run(*command, **COMPLETE) == (2, "", "--account: must be one of: main\n")
    assert logging.getLogger("service.wechat").level == logging.NOTSET, "as before the command"


def test_a_store_that_does_not_answer_is_status_one(run: Run) -> None:
    with taken_port() as port:  # listens, and never answers as a database would
        url = f"postgresql://127.0.0.1:{port}/x"
    status, out, err = run("migrate", SCANBIND_DATABASE__URL=url, SCANBIND_SECRET_KEY="k" * 32)
    assert (status, out) == (1, "")
    assert err == (
        f"scanbind: database.url: the database does not answer: 127.0.0.1:{port}/x: "
        "the connection is refused: nothing listens there\n"
    )


def test_the_doctor_says_what_is_wrong_and_what_to_do(run: Run) -> None:
    with taken_port() as port:
        pass
    status, out, err = run("doctor", SCANBIND_SERVER__PORT=str(port))
    assert (status, err) == (1, "")
    assert "good     configuration: good\n" in out
    assert (
        f"failed   server.public_url: no scanbind answers at http://127.0.0.1:{port}: the connection is refused: "
        in out
    )
    assert "\n         remedy: start the service" in out


def test_a_reader_who_has_read_enough_is_no_fault(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        command = [sys.executable, "-m", "service", "keys", "new", "encryption"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            command, cwd=tmp_path, env=environ, stdout=pipe, stderr=subprocess.PIPE, timeout=20, check=False
        )
    assert (ended.returncode, ended.stderr.count(b"\n")) == (1, 1)


def test_serve_answers_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with started(tmp_path, "serve", SCANBIND_SERVER__PORT="0", **COMPLETE) as process:
        assert process.stderr
        line = next(
            line for line in map(json.loads, process.stderr) if line["message"].startswith("server: listening")
        )
        with urlopen(f"http://127.0.0.1:{line['port']}/readyz", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(10) == 0
    assert "Traceback" not in rest
    assert not (tmp_path / "var" / "valkey" / "valkey.sock").exists(), "its Valkey has ended with it"


def test_serve_on_a_taken_port_is_one_line_and_status_one(tmp_path: Path) -> None:
    with taken_port() as port, started(tmp_path, "serve", SCANBIND_SERVER__PORT=str(port), **COMPLETE) as process:
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1
    assert f"scanbind: server.port: {port} is in use at 127.0.0.1; choose another, or find the process with" in err
    assert "Traceback" not in err


def test_a_taken_internal_port_names_its_setting_and_nothing_is_left_running(tmp_path: Path) -> None:
    with taken_port() as port:
        internal = {"SCANBIND_SERVER__PORT": "0", "SCANBIND_SERVER__INTERNAL": f"127.0.0.1:{port}"}
        with started(tmp_path, "serve", **internal, **COMPLETE) as process:
            _, err = process.communicate(timeout=30)
            assert process.returncode == 1
    assert f"scanbind: server.internal: {port} is in use at 127.0.0.1; choose another" in err
    assert "Traceback" not in err


def test_a_second_service_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with started(tmp_path, "serve", SCANBIND_SERVER__PORT="0", **COMPLETE) as first:
        assert first.stderr
        next(line for line in first.stderr if "listening" in line)
        with started(tmp_path, "serve", SCANBIND_SERVER__PORT="0", **COMPLETE) as second:
            _, err = second.communicate(timeout=30)
            assert second.returncode == 2
        assert err == "data_dir: another scanbind is using var; stop it, or choose another folder\n"
        first.terminate()
        first.stderr.read()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_prints_where_it_is_and_ends_when_told(signum: signal.Signals, tmp_path: Path) -> None:
    with taken_port() as port:
        environ = {"SCANBIND_SERVER__PORT": str(port), "SCANBIND_SERVER__HOST": "127.0.0.1"}
        with started(tmp_path, "demo", "--port", "0", **environ) as process:
            assert process.stdout
            ready = process.stdout.readline()
            shop = ready.removeprefix("scanbind demo is ready: ").strip()
            text = ready + "".join(process.stdout.readline() for _ in range(4))
            addresses = dict(re.findall(r"^  (\w+) +(http\S+)/", text, re.MULTILINE))
            assert f"{addresses['shop']}/" == shop
            for address in addresses.values():
                path = "/livez" if address == addresses["service"] else "/"
                with urlopen(address + path, timeout=10) as answer:
                    assert answer.status == 200
            assert "anna/anna or ben/ben" in text
            assert not addresses["service"].endswith(f":{port}"), "a taken port is replaced by a free one"
            process.send_signal(signum)
            _, err = process.communicate(timeout=20)
            assert process.returncode == 0
    assert err == ""
    assert not (tmp_path / "var" / "demo" / "valkey" / "valkey.sock").exists()


def test_the_demo_for_the_network_keeps_to_the_host_it_is_given(tmp_path: Path) -> None:
    environ = {"SCANBIND_SERVER__PORT": "0", "SCANBIND_SERVER__HOST": "127.0.0.1"}
    with started(tmp_path, "demo", "--port", "0", "--lan", **environ) as process:
        assert process.stdout
        text = "".join(process.stdout.readline() for _ in range(7))
        assert len(re.findall(r"^  \w+ +http://127\.0\.0\.1:", text, re.MULTILINE)) == 3
        assert "Every machine on this network" not in text, "no other machine can reach it"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")


def test_the_sandbox_alone_prints_what_to_configure(tmp_path: Path, run: Run) -> None:
    with started(tmp_path, "sandbox", "--port", "0", "--callback", "http://127.0.0.1:9/wechat/main") as process:
        assert process.stdout
        text = process.stdout.readline()
        assert "http://127.0.0.1:" in text
        process.send_signal(signal.SIGINT)
        text += process.stdout.read()
        assert process.wait(20) == 0
    (tmp_path / "config.yaml").write_text(text[text.index("accounts:") :])
    assert run("check-config", SCANBIND_CLIENTS=COMPLETE["SCANBIND_CLIENTS"])[0] == 0


def test_sealing_prints_how_many_rows_are_left_and_fails_while_any_is(run: Run, tmp_path: Path) -> None:
    """A row in the clear beside its sealed self stands for a process that wrote without knowing the key."""
    encrypt = ("keys", "encrypt")
    environ = {"SCANBIND_ENCRYPTION__KEYS": "e" * 32}
    assert run(*encrypt, **environ)[:2] == (0, "0 people encrypted, 0 left\n")
    for told in ((0, "1 people encrypted, 0 left\n"), (1, "0 people encrypted, 1 left\n")):
        with closing(sqlite3.connect(tmp_path / "var" / "scanbind.sqlite3")) as sql, sql:
            sql.execute(
                "insert into followers (account, openid, subscribed, followed_at) values ('main', 'oTwice', 1, 0)"
            )
        assert run(*encrypt, **environ)[:2] == told


def test_the_sandbox_prints_the_settings_of_one_kind_of_account(tmp_path: Path) -> None:
    with started(tmp_path, "sandbox", "--port", "0", "--account", "personal") as process:
        assert process.stdout
        text = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        text += process.stdout.read()
    assert re.findall(r"^(?:  )?(\w+):", text, re.MULTILINE) == ["accounts", "personal"]
