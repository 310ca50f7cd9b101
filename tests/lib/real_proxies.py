"""nginx, Apache httpd and Caddy as operators run them, with the configuration that docs/operations.md prints."""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientSession
from serving import port_of_a_process

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "operations.md"
_UPSTREAM: Final = "127.0.0.1:8080"
_STARTS_WITHIN: Final = 20
_TYPES: Final = "application/json text/event-stream text/javascript image/svg+xml"
_APACHE_MODULES: Final = ("mpm_event", "authz_core", "proxy", "proxy_http", "filter", "deflate", "brotli")


def _nginx(folder: Path, port: int, snippet: str, *, compress: bool) -> tuple[str, list[str]]:
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    gzip = f"gzip on; gzip_proxied any; gzip_min_length 1; gzip_http_version 1.0; gzip_types {_TYPES};"
    text = f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
        events {{}}
        http {{ access_log off; {temporary} {gzip if compress else ""}
            server {{ listen 127.0.0.1:{port}; {snippet} }} }}"""
    return text, ["-p", str(folder), "-e", "stderr", "-c"]


def _apache(folder: Path, port: int, snippet: str, *, compress: bool) -> tuple[str, list[str]]:
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in _APACHE_MODULES
    )
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    filters = f"AddOutputFilterByType BROTLI_COMPRESS;DEFLATE {_TYPES}\n" if compress else ""
    text = (
        f"ServerRoot {folder}\nDefaultRuntimeDir {folder}\nPidFile {folder}/pid\nErrorLog {folder}/log\n"
        f"ServerName localhost\nListen 127.0.0.1:{port}\n{modules}{user}{filters}{snippet}"
    )
    return text, ["-DFOREGROUND", "-f"]


def _caddy(folder: Path, port: int, snippet: str, *, compress: bool) -> tuple[str, list[str]]:
    encode = "encode zstd gzip" if compress else ""
    text = f"{{\nadmin off\nauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n{encode}\n{snippet}\n}}\n"
    return text, ["run", "--adapter", "caddyfile", "--config"]


Configure = Callable[..., tuple[str, list[str]]]
_PROGRAMS: Final[dict[str, tuple[str, Configure]]] = {
    "nginx": ("nginx", _nginx),
    "apache": ("apache2", _apache),
    "caddy": ("caddy", _caddy),
}
NAMES: Final = tuple(_PROGRAMS)


@dataclass(frozen=True)
class Kind:
    """A proxy, and whether it compresses answers."""

    name: str
    compresses: bool

    @property
    def program(self) -> str:
        return _PROGRAMS[self.name][0]

    def found(self) -> str | None:
        """Return the path of its program; Debian installs servers where users do not look."""
        return shutil.which(self.program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextlib.asynccontextmanager
async def in_front_of(url: str, kind: Kind, folder: Path, *, snippet: str = "") -> AsyncIterator[str]:
    """Run a proxy in front of the service at *url*, with its files in *folder*; give its own address.

    Its settings are *snippet*, or those of the document.
    """
    port, file, log = port_of_a_process(), folder / "proxy.conf", folder / "output"
    if not snippet:
        [snippet] = re.findall(rf"```{kind.name}\n(.*?)```", _DOCUMENT.read_text("utf-8"), re.DOTALL)
    configure = _PROGRAMS[kind.name][1]
    text, arguments = configure(
        folder, port, snippet.replace(_UPSTREAM, url.removeprefix("http://")), compress=kind.compresses
    )
    file.write_text(text)
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *(str(kind.found()), *arguments, str(file)), stdout=output, stderr=output, env={**os.environ, **homes}
        )
    try:
        await _ready(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    async with asyncio.timeout(_STARTS_WITHIN), ClientSession() as http:
        while True:
            with contextlib.suppress(ClientError):
                async with http.get(f"{url}/livez") as response:
                    assert response.status == 200, await response.text()
                    return
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.02)
