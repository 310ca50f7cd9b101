"""Judges valid settings as a whole, before they are used."""

from urllib.parse import urlsplit

from service.config.addresses import is_local
from service.config.settings import ConfigError, Settings


def check_complete(settings: Settings) -> None:
    """Raise ConfigError unless there is an account and a client: a service without them can do nothing."""
    faults = [
        f"{part}: is empty, so {effect}: add one as docs/configuration.md shows"
        for part, configured, effect in (
            ("accounts", settings.accounts, "no QR code can be created"),
            ("clients", settings.clients, "no site can use the service"),
        )
        if not configured
    ]
    if faults:
        raise ConfigError(faults)


def warnings_of(settings: Settings) -> list[str]:
    """Return what is allowed but unsafe, one line each, beginning with its path."""
    address = urlsplit(settings.server.public_url)
    if address.scheme == "https" or is_local(address.hostname or ""):
        return []
    return ["server.public_url: is not https, so passwords and login codes cross the internet unencrypted"]
