"""`python -m service.server.liveness`: the health check of the container image.

Asks the service of the same configuration for `/livez`, on this machine. Exits with 0 if it answers, else with 1.
"""

import http.client
import os
import sys
from typing import Final

from service.config.settings import ConfigError, Server, load_server

_PATIENCE: Final = 3.0
"""Seconds; the image's health check has five in all."""
_THIS_MACHINE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - how to reach a service that listens there


def is_alive(server: Server) -> bool:
    """Return whether the service that listens as *server* says answers."""
    host = _THIS_MACHINE.get(server.host, server.host)
    connection = http.client.HTTPConnection(host, server.port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """Check the service that ./config.yaml and the environment configure; return the exit status."""
    try:
        server = load_server(None, os.environ)
    except ConfigError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in error.faults))
        return 1
    return 0 if is_alive(server) else 1


if __name__ == "__main__":
    sys.exit(main())
