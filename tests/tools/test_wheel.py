"""The wheel is the same wherever it is built, holds what the service needs and nothing else, and runs by itself.

Red when a time, a mode or a path of the building machine gets into it, when the image's context lacks a file, when
a picture or a script is left out, and when an installed service needs a file of the sources.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest
from aiohttp import ClientError, ClientSession
from cloning import ROOT, cloned, git
from serving import port_of_a_process

TOP: Final = {"demo", "examples", "handlers", "migrations", "models", "sandbox", "service", "web"}
AN_HOUR: Final = 3600


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloned(tmp_path_factory.mktemp("here") / "clone")


@pytest.fixture(scope="module")
def wheel(clone: Path) -> Path:
    return built(clone, umask=0o022)


def built(folder: Path, *, umask: int, **variables: str) -> Path:
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, "-m", "tools.wheel", "dist"]
    subprocess.run(command, cwd=folder, env=environ, umask=umask, check=True, capture_output=True)
    [wheel] = (folder / "dist").glob("*.whl")
    return wheel


def test_another_path_time_and_umask_give_the_same_bytes(clone: Path, wheel: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a much longer name" / "of a folder"
    subprocess.run(["git", "clone", "--quiet", str(clone), str(elsewhere)], umask=0o077, check=True)
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (time.time() + AN_HOUR, time.time() + AN_HOUR))
    (elsewhere / "service" / "left_over.py").touch()
    other = built(elsewhere, umask=0o077, TZ="Asia/Shanghai", PYTHONHASHSEED="7")
    assert (other.name, other.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_files_that_the_image_is_built_from_give_the_same_bytes(
    clone: Path, wheel: Path, tmp_path: Path
) -> None:
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    packed = tmp_path / "context.tar"
    git(clone, "archive", f"--output={packed}", "HEAD", "--", *allowed)
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "context", filter="data")
    committed = git(clone, "log", "-1", "--format=%ct").strip()
    other = built(tmp_path / "context", umask=0o022, SOURCE_DATE_EPOCH=committed)
    assert other.read_bytes() == wheel.read_bytes()


def test_it_holds_every_file_of_the_packages_but_their_pages_and_nothing_else(clone: Path, wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        files = {name for name in packed.namelist() if ".dist-info/" not in name}
    tracked = git(clone, "ls-files", *sorted(TOP - {"examples"}), "examples/miniprogram").split()
    assert files == {name for name in tracked if not name.endswith(".md")}


def test_it_tells_nothing_of_the_machine(clone: Path, wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        content = b"".join(map(packed.read, packed.namelist()))
    assert str(clone.parent).encode() not in content
    assert str(ROOT).encode() not in content


def test_the_lock_beside_it_pins_it_and_every_dependency(wheel: Path) -> None:
    lock = (wheel.parent / "requirements.lock").read_text("utf-8")
    own = f"./{wheel.name} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    assert lock == (ROOT / "requirements.lock").read_text("utf-8") + own


def test_a_changed_wheel_is_not_installed(wheel: Path, tmp_path: Path) -> None:
    changed = Path(shutil.copy(wheel, tmp_path))
    with ZipFile(changed, "a") as packed:
        packed.writestr("service/more.py", "")
    refused = installing(new_environment(tmp_path), own_line(wheel), tmp_path)
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr


async def test_it_runs_where_there_are_no_sources(wheel: Path, tmp_path: Path) -> None:
    environment = new_environment(tmp_path)
    done = installing(environment, own_line(wheel), wheel.parent)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "empty"
    folder.mkdir()
    there = Installed(environment / "bin", folder, settings(port_of_a_process()))
    assert str(environment) in there.run("python", "-c", "import service; print(service.__file__)")
    assert "doctor" in there.run("scanbind", "--help")
    assert there.run("scanbind", "check-config") == "configuration is good\n"
    assert there.run("scanbind", "migrate") != ""
    with there.serving():
        await there.answers("readyz")
        await there.answers("widget.js")
        assert there.run("python", "-m", "service.server.liveness") == ""


class Installed:
    """Runs programs of an environment in an empty folder; environment variables are the configuration."""

    def __init__(self, programs: Path, folder: Path, variables: Mapping[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        self.environ = {**kept, **variables}
        self.programs, self.folder = programs, folder
        self.url = f"http://127.0.0.1:{variables['SCANBIND_SERVER__PORT']}"

    def run(self, program: str, *arguments: str) -> str:
        command = [self.programs / program, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serving(self) -> "Ended":
        with (self.folder.parent / "log").open("w") as log:
            command = [self.programs / "scanbind", "serve"]
            return Ended(subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=log, stderr=log))

    async def answers(self, path: str) -> None:
        """Wait until GET *path* succeeds."""
        async with ClientSession() as http, asyncio.timeout(60):
            while True:
                with contextlib.suppress(ClientError):
                    async with http.get(f"{self.url}/{path}") as answer:
                        if answer.ok:
                            return
                await asyncio.sleep(0.05)


class Ended:
    """Stops the process on exit, and sees that it ends well."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0


def new_environment(folder: Path) -> Path:
    """Make a virtual environment that sees the packages of this one, but not an editable install in it."""
    made = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    [packages] = (made / "lib").glob("python*/site-packages")
    running = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(running)
    return made


def own_line(wheel: Path) -> str:
    lines = (wheel.parent / "requirements.lock").read_text("utf-8").splitlines(keepends=True)
    return "".join(lines[-2:])


def installing(environment: Path, requirements: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Install *requirements*, whose paths are relative to *folder*."""
    listed = environment.parent / "own.lock"
    listed.write_text(requirements)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--no-index"]
    options = ["--no-deps", "--require-hashes", "--requirement", listed]
    return subprocess.run([*pip, *options], cwd=folder, capture_output=True, text=True, check=False)


def settings(port: int) -> dict[str, str]:
    account = {"appid": "wx0123456789abcdef", "secret": "5" * 32, "token": "atoken", "aes_key": "a" * 43}
    shop = {"name": {"zh": "商店", "en": "Shop"}, "secret": "s" * 32, "accounts": ["main"]}
    return {
        "SCANBIND_SERVER__PORT": str(port),
        "SCANBIND_ACCOUNTS__MAIN": json.dumps(account),
        "SCANBIND_CLIENTS__SHOP": json.dumps(shop),
    }
