"""Checks valid settings as a whole, before they are used."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from models.method import Method
from service.config.accounts import Account
from service.config.addresses import is_local
from service.config.clients import Client
from service.config.settings import ConfigError, Settings


def check_complete(settings: Settings) -> None:
    """Raise ConfigError unless there is an account or app, and a client: a service without them can do nothing."""
    faults = [
        f"{empty}, so {effect}: run `scanbind init`, or add one as docs/configuration.md shows"
        for empty, configured, effect in (
            ("accounts: is empty, as is apps", settings.accounts or settings.apps, "no person can sign in"),
            ("clients: is empty", settings.clients, "no site can use the service"),
        )
        if not configured
    ]
    if faults:
        raise ConfigError(faults)


@dataclass(frozen=True, slots=True)
class Caution:
    """A warning about the setting at `path`, and what to do."""

    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}; {self.remedy}"


def cautions(settings: Settings) -> Iterator[Caution]:
    """Yield what is allowed but unsafe or without effect.

    Unsafe are an address without https, files of secrets and pushes to targets that others may read, and accounts
    whose pushes nothing signs. `profile` has no effect where no method tells names.
    """
    for path in settings.exposed_files:
        yield Caution(path, "all users of this machine may read or change the file", "chmod o= it")
    address = urlsplit(settings.server.public_url)
    if address.scheme != "https" and not is_local(address.hostname or ""):
        crossing = "is not https, so passwords and login codes cross the internet unencrypted"
        yield Caution("server.public_url", crossing, "serve it over https")
    for name, account in settings.accounts.items():
        if account.mode == "plain":
            yield _unsigned(name, account)
        yield from _readable_targets(name, account)
    for name, client in settings.clients.items():
        if client.profile and not _tells_names(client, settings):
            without = "true, but none of the client's methods tells name and picture"
            remedy = "add website, or h5 with an account that has `oauth: userinfo`"
            yield Caution(f"clients.{name}.profile", without, remedy)


def _readable_targets(name: str, account: Account) -> Iterator[Caution]:
    """Yield the targets to which pushes cross a network that others may read."""
    for index, target in enumerate(account.forward):
        url = urlsplit(target.url)
        if target.mode == "plain" and url.scheme == "http" and not is_local(url.hostname or ""):
            crossing = "plain mode over http, so chats and openids cross the internet unencrypted"
            remedy = "set mode safe with an aes_key, or an https url"
            yield Caution(f"accounts.{name}.forward.{index}.mode", crossing, remedy)


def _tells_names(client: Client, settings: Settings) -> bool:
    asking = any(settings.accounts[name].oauth == "userinfo" for name in client.accounts)
    return Method.WEBSITE in client.methods or (Method.H5 in client.methods and asking)


def _unsigned(name: str, account: Account) -> Caution:
    """Return the caution of plain mode (wechat-protocol.md 3.2)."""
    unsigned = "nothing signs the bodies of its pushes, so an attacker who has seen one can forge any scan"
    if account.kind == "test":
        remedy = "use it for trials alone, and a verified service account in safe mode for real users"
        return Caution(f"accounts.{name}.kind", f"a test account: {unsigned}", remedy)
    remedy = "choose safe mode in WeChat's console and set it here"
    return Caution(f"accounts.{name}.mode", f"plain mode: {unsigned}", remedy)
