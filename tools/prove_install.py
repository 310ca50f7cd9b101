"""Proves that scanbind runs on a bare Debian 12 from its wheel, and there from a backup in another place.

`python -m tools.prove_install`, as root, with debootstrap, Debian's mirror and the package index; the bare system
is kept in `build`. There, without either: installation, `init`, `serve`, `doctor`, logins by the sandbox, then
`backup`, `verify`, and `restore` in another folder, where the same person is the same user.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tools import wheel
from tools.bare_debian import HOME, BareDebian, bare_debian
from tools.first_login import ORIGIN, Site

_SCANBIND: Final = "/opt/scanbind/bin/scanbind"
_ELSEWHERE: Final = f"{HOME}/elsewhere"


def main() -> int:
    """Prove it; return the exit status."""
    if os.geteuid() or not shutil.which("debootstrap"):
        print("not proven: needs root and debootstrap (apt install debootstrap)", file=sys.stderr)
        return 1
    began = time.monotonic()
    with bare_debian(Path("build")) as debian:
        install(debian)
        use(debian)
    print(f"proven in {time.monotonic() - began:.0f} s")
    return 0


def install(debian: BareDebian) -> None:
    """Install as docs/install.md says, with the locked packages fetched beforehand."""
    files = debian.root / "srv"
    wheel.build(Path(), files)
    # Debian's Python may need packages that this one does not: markers are left out.
    every = files / "every.lock"
    every.write_text(re.sub(r" ; [^\\\n]*", " ", (files / wheel.LOCK).read_text("utf-8")), "utf-8")
    fetch = [
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--requirement",
        every.name,
    ]
    subprocess.run([sys.executable, "-m", "pip", *fetch], cwd=files, check=True)
    debian.run("python3", "-m", "venv", "/opt/scanbind", folder="/srv", user="root")
    pip = ("/opt/scanbind/bin/pip", "install", "--quiet", "--no-cache-dir", "--no-index", "--find-links=/srv")
    debian.run(*pip, "--require-hashes", "-r", wheel.LOCK, folder="/srv", user="root")


def use(debian: BareDebian) -> None:
    """Set it up for an account of the sandbox, log in, restore a backup, and log in again. Raises RuntimeError."""
    site = Site(service=_free_port(), sandbox=_free_port())
    callback = f"http://127.0.0.1:{site.service}/wechat/main"
    sandbox = ("sandbox", "--account", "test", "--port", str(site.sandbox), "--callback", callback)
    with debian.running(_SCANBIND, *sandbox):
        set_up(debian, site)
        with debian.running(_SCANBIND, "serve"):
            site.wait()
            print(debian.run(_SCANBIND, "doctor"), end="")
            expect(site.log_in(), "register None")
            expect(site.log_in(), "login 42")
            debian.run(_SCANBIND, "backup", "backup.tar")
        debian.run("mkdir", _ELSEWHERE)
        debian.run("mv", "config.yaml", "secrets", "backup.tar", _ELSEWHERE)
        debian.run(_SCANBIND, "verify", "backup.tar", folder=_ELSEWHERE)
        debian.run(_SCANBIND, "restore", "backup.tar", folder=_ELSEWHERE)
        with debian.running(_SCANBIND, "serve", folder=_ELSEWHERE):
            site.wait()
            expect(site.log_in(), "login 42")


def set_up(debian: BareDebian, site: Site) -> None:
    """Configure the service with `scanbind init`, and the sandbox's Token and address, which WeChat would have."""
    account = _printed_account(debian.root / "tmp" / "log")
    (debian.root / HOME[1:] / "appsecret").write_text(account["secret"])
    public = f"http://127.0.0.1:{site.service}"
    answers = f"--yes --lang en --kind test --appid {account['appid']} --secret-file appsecret --client-name Shop"
    told = debian.run(_SCANBIND, "init", *answers.split(), "--public-url", public, "--origin", ORIGIN)
    [site.password] = re.findall(r"\(user name shop\):\n +(\S+)\n", told)
    debian.variables = {
        "SCANBIND_SERVER__PORT": str(site.service),
        "SCANBIND_ACCOUNTS__TEST__TOKEN": account["token"],
        "SCANBIND_ACCOUNTS__TEST__API_BASE": account["api_base"],
    }
    debian.run(_SCANBIND, "check-config")


def expect(outcome: str, expected: str) -> None:
    print(f"  the login: {outcome}")
    if outcome != expected:
        raise RuntimeError(f"expected {expected}")


def _printed_account(log: Path) -> dict[str, str]:
    """Return what the sandbox prints for `accounts.test`, once it is ready. Raises TimeoutError."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = dict(re.findall(r'^    (\w+): "?([^"\n]+)"?$', log.read_text("utf-8"), re.MULTILINE))
        if "api_base" in found:
            return found
        time.sleep(0.1)
    raise TimeoutError("the sandbox printed no account")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
