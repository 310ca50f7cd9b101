"""Runs docs/install.md as far as a machine without containers can; the Chinese page has the same blocks.

Red when the four lines do not lead to a running service, when the secrets that the page creates for Docker Compose
do not fit its configuration, and when a block names a command, a file, a user or a path that is not there.
"""

import re
import shlex
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import yaml
from composing import DEPLOY
from desk import ROOT, at_desk, ended
from guide import blocks

from service.cli.main import _parser
from service.config.review import check_complete
from service.config.settings import load
from tools import wheel

PAGE: Final = ROOT / "docs" / "install.md"
HERE, UNIT_USER, UNIT, DOCTOR, SECRETS, _, LET_READ, IMAGE, KUBECTL = (block.text for block in blocks(PAGE))
ENVIRONMENT: Final = "/opt/scanbind"
COMMAND: Final = re.compile(
    r"(?:/opt/scanbind/bin/scanbind|\bdocker compose (?:run|exec) .*?\bscanbind(?: scanbind)?) (.+)"
)


async def test_the_four_lines_lead_to_a_running_service(tmp_path: Path) -> None:
    wheel.build(ROOT, tmp_path)
    environment = tmp_path / "environment"
    make, install, init, serve = (line.replace(ENVIRONMENT, str(environment)) for line in HERE.splitlines())
    async with at_desk(tmp_path, PAGE) as desk, AsyncExitStack() as stack:
        desk.variables = {
            "PYTHONPATH": "",
            "PYTHONWARNINGS": "",
            "SCANBIND_SERVER__PORT": desk.service.rpartition(":")[2],
        }
        await desk.run(make)
        see_the_packages_of_this_environment(environment)
        await desk.run(f"{install} --no-index")
        assert await desk.run(f"{environment}/bin/python -c 'import service; print(service.__file__)'") == (
            f"{next(environment.rglob('service/__init__.py'))}\n"
        )
        (tmp_path / "secret").write_text("5" * 32)
        await desk.run(f"{init} {ANSWERS}")
        await stack.enter_async_context(ended(await desk.start(serve)))
        await desk.wait_for(f"{desk.service}/readyz")


ANSWERS: Final = (
    "--yes --kind test --public-url https://login.example.com --appid wx0123456789abcdef --secret-file secret"
    " --client-name Shop --origin https://shop.example.com"
)
"""What a person answers to the questions of `scanbind init`."""


def see_the_packages_of_this_environment(environment: Path) -> None:
    """Let pip find the locked packages there, in the versions of the lock, instead of on the network."""
    [packages] = environment.glob("lib/python*/site-packages")
    running = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "locked.pth").write_text(running)
    for old in packages.glob("setuptools*"):  # that of Python 3.11; pip would fetch a newer one
        shutil.rmtree(old)


def test_the_secrets_for_compose_fit_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("config.yaml", "secrets", ".env"))
    subprocess.run(["sh", "-euc", SECRETS], cwd=tmp_path, check=True)
    config = tmp_path / "deploy" / "config"
    (config / "secrets" / "main_secret").write_text("5" * 32)
    (config / "secrets" / "main_secret").chmod(0o644)  # as with the usual umask
    (config / "secrets" / "shop_secret_hash").write_text(f"sha256:{'A' * 43}")
    file = config / "config.yaml"
    file.write_text(file.read_text("utf-8").replace("/etc/scanbind", str(config)), "utf-8")
    settings = load(file, {})
    check_complete(settings)
    for command in [line for line in LET_READ.splitlines() if line.startswith("chmod ")]:
        subprocess.run(command.split(), cwd=tmp_path / "deploy", check=True)
    assert load(file, {}).exposed_files == ()
    [password] = (tmp_path / "deploy" / "secrets" / "postgres_password").read_text("utf-8").split()
    assert settings.database.url.endswith(f"://scanbind:{password}@postgres/scanbind")
    assert (config / "secrets").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("block", [block.text for block in blocks(PAGE)], ids=range(len(blocks(PAGE))))
def test_every_command_of_the_service_in_a_block_is_one(block: str) -> None:
    subprocess.run(["sh", "-n"], input=block, text=True, check=True)
    for arguments in COMMAND.findall(block):
        assert _parser().parse_args(shlex.split(arguments)).run


def test_the_user_and_the_paths_are_those_of_the_unit() -> None:
    unit = (DEPLOY / "systemd" / "scanbind.service").read_text("utf-8")
    [folder] = re.findall(r"^WorkingDirectory=(.+)$", unit, re.MULTILINE)
    [user] = re.findall(r"^User=(.+)$", unit, re.MULTILINE)
    [key] = re.findall(r"^LoadCredential=secret_key:(.+)$", unit, re.MULTILINE)
    assert f"\ncd {folder}\n" in UNIT_USER
    assert UNIT_USER.splitlines()[0].endswith(f" {user}")
    assert f"> {Path(key).relative_to(folder)}\n" in UNIT_USER
    assert f"chmod 600 {Path(key).relative_to(folder)}\n" in UNIT_USER
    assert f"SCANBIND_SECRET_KEY_FILE={Path(key).relative_to(folder)}\n" in DOCTOR
    assert "enable --now scanbind\n" in UNIT


def test_every_manifest_is_applied_and_the_job_before_the_pods() -> None:
    applied = re.findall(r"-f (\S+\.yaml)", KUBECTL)
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"secret.example.yaml"}
    assert sorted(applied) == sorted(there)
    assert applied.index("migrate.yaml") < applied.index("deployment.yaml")
    job = yaml.safe_load((DEPLOY / "kubernetes" / "migrate.yaml").read_text("utf-8"))
    assert f"job/{job['metadata']['name']}\n" in KUBECTL


def test_the_image_is_run_with_the_volume_and_the_configuration_of_the_dockerfile() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    mounted = re.findall(r"--volume \S+?:(/[\w/]+)", IMAGE)
    assert f'VOLUME ["{mounted[0]}"]' in dockerfile
    assert f"WORKDIR {mounted[1]}\n" in dockerfile
