"""`scanbind init` as a process: in a terminal that asks, and in a script that gives flags.

Red when a secret is echoed, when an interrupted one leaves a file, when a file is overwritten, and when
`check-config` refuses what was written.
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from service.cli.main import main

ROOT = Path(__file__).parents[3]
SECRET = "Xk9Vw3Jq8Zp5Xk9Vw3Jq8Zp5Xk9Vw3Jq"
APPID = "wx0123456789abcdef"
FLAGS = ["--kind", "test", "--appid", APPID, "--public-url", "https://login.example", "--client-name", "示例: #1"]
PATIENCE = 60
"""Seconds that a line may take on a busy machine."""


class Terminal:
    """A terminal in which one command runs."""

    def __init__(self, folder: Path, *argv: str, **environ: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            command = [sys.executable, "-m", "service", *argv]
            os.execve(
                sys.executable, command, {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environ}
            )
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until *text* is shown after what was awaited before."""
        end = time.monotonic() + PATIENCE
        start = len(self.shown)
        while text not in self.shown[start:]:
            assert self._read(end - time.monotonic()), self.shown

    def _read(self, seconds: float) -> bool:
        if not select.select([self.descriptor], [], [], max(0, seconds))[0]:
            return False
        try:
            self.shown += os.read(self.descriptor, 65536).decode(errors="replace")
        except OSError:  # the command has ended
            return False
        return True

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def ended(self, *, press: str = "") -> int:
        """Return the exit status, once the command has ended. *press* a key again for each second without it.

        A signal between the prompt and the call that reads is only noticed at the next one.
        """
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            shown = self._read(1)
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                while self._read(0):
                    pass
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if not shown:
                self.type(press)
        raise AssertionError(self.shown)

    def close(self) -> None:
        os.close(self.descriptor)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextmanager
def terminal(folder: Path, *argv: str, **environ: str) -> Iterator[Terminal]:
    opened = Terminal(folder, *argv, **environ)
    try:
        yield opened
    finally:
        opened.close()


def answer(at: Terminal, question: str, typed: str) -> None:
    at.wait_for(question)
    at.type(f"{typed}\n")


def test_a_terminal_asks_and_a_faulty_answer_is_asked_again(tmp_path: Path) -> None:
    with terminal(tmp_path, "init", "--appid", APPID) as at:
        answer(at, "Kind: ", "shop")
        answer(at, "must be test, service, personal", "test")
        answer(at, "https://login.example: ", "login.example")
        answer(at, "must be an address such as", "https://login.example")
        answer(at, "not shown while you type: ", SECRET)
        answer(at, "a-z 0-9 _ [shop]: ", "")
        answer(at, "people see in WeChat: ", "示例: '商城' #1")
        answer(at, "may be empty: ", "https://shop.example https://www.shop.example")
        answer(at, "[embedded]: ", "")
        answer(at, "[embedded]: ", "")
        assert at.ended() == 0
        assert SECRET[:4] not in at.shown
        assert "scanbind serve" in at.shown
    written = yaml.safe_load((tmp_path / "config.yaml").read_text("utf-8"))
    assert written["clients"]["shop"]["name"] == "示例: '商城' #1"
    assert written["clients"]["shop"]["origins"] == ["https://shop.example", "https://www.shop.example"]
    assert (tmp_path / "secrets" / "accounts.test.secret").read_text() == f"{SECRET}\n"
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert {modes.pop("secrets"), *modes.values()} == {0o700, 0o600}


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("question", ["AppID: ", "（输入时不显示）: "], ids=["a shown answer", "a hidden answer"])
def test_an_interrupted_one_leaves_nothing_behind(question: str, key: str, tmp_path: Path) -> None:
    flags = [] if question.startswith("AppID") else ["--appid", APPID]
    with terminal(
        tmp_path, "init", "--kind", "test", "--public-url", "https://a.example", *flags, LANG="zh_CN.UTF-8"
    ) as at:
        at.wait_for(question)
        at.type(key)
        assert at.ended(press=key) == 1
        assert "scanbind: nothing was written" in at.shown
    assert list(tmp_path.iterdir()) == []


def test_no_question_is_asked_in_a_terminal_with_yes(tmp_path: Path) -> None:
    with terminal(tmp_path, "init", "--yes", *FLAGS) as at:
        assert at.ended() == 2
        assert at.shown.strip() == "--secret-file: is missing"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given").write_text(f"{SECRET}\r\n")
    return tmp_path


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "service", *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_a_script_gives_all_answers_by_flags(folder: Path) -> None:
    made = run("init", *FLAGS, "--secret-file", "given", "--origin", "https://shop.example", "--lang", "zh")
    assert (made.returncode, made.stderr) == (0, "")
    assert SECRET not in made.stdout
    assert "# 使用本服务的网站" in (folder / "config.yaml").read_text("utf-8")
    checked = run("check-config")
    assert (checked.returncode, checked.stdout) == (0, "configuration is good\n")
    warned = [line.partition(": ")[0] for line in checked.stderr.splitlines()]
    assert warned == ["accounts.test.kind"]


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yaml").write_text("old")
    assert main(["init", "--yes", *FLAGS, "--secret-file", "given"]) == 1
    assert "config.yaml exists" in capsys.readouterr().err
    assert (folder / "config.yaml").read_text() == "old"
    assert main(["init", "--yes", *FLAGS, "--secret-file", "given", "--output", "one.yaml"]) == 0
    assert main(["init", "--yes", *FLAGS, "--secret-file", "given", "--output", "two.yaml"]) == 1
    assert "secrets/accounts.test.secret: File exists" in capsys.readouterr().err
    assert not (folder / "two.yaml").exists()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "names a file that is empty"),
        (b"one\ntwo\n", "names a file of several lines: the setting has one value"),
        (b"\xff", "names a file that is not UTF-8"),
        (b"x" * 70_000, "names a file that is larger than 64 KiB"),
    ],
    ids=["missing", "empty", "two lines", "not UTF-8", "too large"],
)
def test_a_faulty_file_is_a_line(
    content: bytes | None, fault: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (folder / "faulty").write_bytes(content)
    assert main(["init", "--yes", *FLAGS, "--secret-file", "faulty"]) == 2
    assert capsys.readouterr().err == f"--secret-file: {fault}\n"
    assert not (folder / "config.yaml").exists()


def test_a_secret_is_never_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Other users of the machine see the arguments of a process."""
    with pytest.raises(SystemExit):
        main(["init", "--help"])
    flags = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {"--secret-file", "--database-url-file", "--redis-url-file"} <= flags
    assert not {"--secret", "--database-url", "--redis-url", "--token"} & flags


def test_a_terminal_without_chinese_characters_gets_the_password(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    made = run("init", *FLAGS, "--secret-file", "given", "--yes")
    assert (made.returncode, made.stderr) == (0, "")
    assert "shown only now" in made.stdout
    assert "\\u63a5\\u53e3\\u914d\\u7f6e\\u4fe1\\u606f" in made.stdout
