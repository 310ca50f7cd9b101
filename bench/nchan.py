"""Runs nginx with nchan, a module that keeps event streams: a baseline in C."""

import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from bench import processes
from bench.server import Server

_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_CONFIGURATION: Final = """
daemon off;
user root;  # as another user nginx ignores this line
pid {place}/nginx.pid;
worker_processes 1;
load_module {module};
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/wait/(.+)$ {{ nchan_subscriber eventsource; nchan_channel_id $1; }}
    location ~ ^/notify/(.+)$ {{ nchan_publisher; nchan_channel_id $1; nchan_store_messages off; }}
  }}
}}
"""


def missing() -> str | None:
    """Return what this machine lacks to run it."""
    if not _nginx():
        return "nginx is not installed"
    return None if _MODULE.exists() else f"{_MODULE} is missing, from Debian's package libnginx-mod-nchan"


@asynccontextmanager
async def nchan(place: Path, *, connections: int) -> AsyncIterator[Server]:
    """Run it with one worker process, for that many connections."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    config = place / "nginx.conf"
    config.write_text(_CONFIGURATION.format(place=place, module=_MODULE, connections=connections, port=port))
    journal = place / "nginx.log"
    async with processes.started(_nginx() or "", "-c", str(config), "-e", "stderr", journal=journal) as process:
        await processes.until_ready(process, journal, partial(_accepts, port))
        yield Server(port, process.pid)


def _nginx() -> str | None:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def _accepts(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
