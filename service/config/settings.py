"""The settings, as one frozen tree. Validation reports all faults at once, each with its path.

Messages never quote a value, since it may be a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator

from service.config import sources
from service.config.accounts import Account
from service.config.addresses import ANY_ADDRESS, split_place
from service.config.apps import App, WeCom
from service.config.clients import Client
from service.config.fault import Fault
from service.config.fault_lines import fault_lines
from service.config.forwarding import is_own_callback
from service.config.section import Section
from service.config.shapes import shapes_of
from service.config.types import (
    EMBEDDED,
    DatabaseUrl,
    Days,
    Folder,
    Lifetime,
    Limit,
    ListeningHost,
    ListeningPlace,
    Name,
    Network,
    Port,
    RedisUrl,
    Secrets,
    VaultKeys,
    VerifyContent,
    VerifyName,
    WebAddress,
)
from service.config.webhooks import OperatorWebhook
from service.config.yaml_file import UnreadableError, shown_path

DEFAULT_FILE: Final = Path("config.yaml")
SHORTEST_KEY: Final = 32
"""Minimum length of a `secret_key`, in characters."""


class ConfigError(Exception):
    """The service cannot run with this configuration. `faults` has one line per fault, beginning with its path."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


def local_url(server: Mapping[str, Any]) -> str:
    """Return the `public_url` of a *server* that names none."""
    return f"http://127.0.0.1:{server.get('port', 8080)}"


class Server(Section):
    host: ListeningHost = "127.0.0.1"
    port: Port = 8080
    """0: the system chooses a free port."""
    public_url: WebAddress = Field(default_factory=local_url)
    """Without a trailing slash."""
    trusted_proxies: tuple[Network, ...] = ()
    proxy_headers: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    """The headers of trusted proxies that are used; the others may come from clients."""
    internal: ListeningPlace = ""
    """Where metrics and readiness are served instead; empty: with everything else."""

    @field_validator("internal")
    @classmethod
    def _check_internal(cls, value: str, info: ValidationInfo) -> str:
        host, port = split_place(value) if value else ("", 0)
        public = info.data.get("host")
        if port and port == info.data.get("port") and (host == public or {host, public} & set(ANY_ADDRESS)):
            raise Fault("is where server.host and server.port listen: choose another port")
        return value


class Database(Section):
    url: DatabaseUrl = Field(default=EMBEDDED, repr=False)
    """`embedded`, or an SQLAlchemy URL with an async driver. May contain a password."""


class Redis(Section):
    url: RedisUrl = Field(default=EMBEDDED, repr=False)
    """`embedded`, or a URL as configured. May contain a password."""


class Encryption(Section):
    """The keys that encrypt openids and unionids in the database, newest first. Empty: no encryption."""

    keys: VaultKeys = ()
    """`clear` stands for no key: while it comes first, new rows are not encrypted; encrypted ones can be read."""


class Tickets(Section):
    """Lifetimes in seconds."""

    login_lifetime: Lifetime = 300
    bind_lifetime: Lifetime = 600


class Limits(Section):
    """Requests per minute, wrong passcodes in ten; open waits and connections per process. 0: no limit."""

    tickets_per_address: Limit = 30
    tickets_per_client: Limit = 3000
    tickets_per_user: Limit = 60
    scans_per_openid: Limit = 120
    scans_per_ticket: Limit = 300
    failures_per_address: Limit = 120
    bad_signatures_per_address: Limit = 120
    visits_per_address: Limit = 300
    passcodes_per_account: Limit = 1000
    waiting_per_address: Limit = 256
    waiting: Limit = 50_000
    connections_per_address: Limit = 512


class Privacy(Section):
    """Retention, in days."""

    history_days: Days = 365
    audit_days: Days = 190
    endings_days: Days = 1
    webhooks_days: Days = 30


class Operator(Section):
    """How the operator of the service is told of what needs them."""

    webhook: OperatorWebhook | None = None


class Settings(Section):
    """All settings (contract.md 1). Create with `load` or `validate`."""

    server: Server = Field(default_factory=Server)
    data_dir: Folder = Path("var")
    database: Database = Field(default_factory=Database)
    redis: Redis = Field(default_factory=Redis)
    secret_key: Secrets = ()
    """As configured, newest first. Use `resolve_secret_keys`, which also reads the key file."""
    encryption: Encryption = Field(default_factory=Encryption)
    verify_files: Mapping[VerifyName, VerifyContent] = Field(default_factory=dict)
    """Files that prove to WeChat who owns the host, served at its root: the content by the name."""
    accounts: Mapping[Name, Account] = Field(default_factory=dict)
    apps: Mapping[Name, App] = Field(default_factory=dict)
    """Other WeChat applications; no account has the name of one."""
    clients: Mapping[Name, Client] = Field(default_factory=dict)
    operator: Operator = Field(default_factory=Operator)
    tickets: Tickets = Field(default_factory=Tickets)
    limits: Limits = Field(default_factory=Limits)
    privacy: Privacy = Field(default_factory=Privacy)
    _exposed: tuple[str, ...] = PrivateAttr(())

    @property
    def exposed_files(self) -> tuple[str, ...]:
        """The settings that name files of secrets which other users of the machine may read."""
        return self._exposed

    @property
    def appids(self) -> dict[str, str]:
        """The appid of each account and app; of WeCom, the CorpID."""
        of_apps = {name: app.corpid if isinstance(app, WeCom) else app.appid for name, app in self.apps.items()}
        return {name: account.appid for name, account in self.accounts.items()} | of_apps

    def appid_path(self, name: str) -> str:
        """Return where the appid of this account or app is configured."""
        if name in self.accounts:
            return f"accounts.{name}.appid"
        return f"apps.{name}.{'corpid' if isinstance(self.apps[name], WeCom) else 'appid'}"

    @property
    def open_platforms(self) -> dict[str, str | None]:
        """The Open Platform account of each account and app; None: its unionids join nothing (contract.md 1.1)."""
        of_apps = {name: getattr(app, "open_platform", "") or None for name, app in self.apps.items()}
        return {name: account.open_platform for name, account in self.accounts.items()} | of_apps

    @field_validator("apps")
    @classmethod
    def _check_names(cls, value: Mapping[str, App], info: ValidationInfo) -> Mapping[str, App]:
        for name in value:
            if name in info.data.get("accounts", {}):
                raise Fault("is a name under accounts as well: choose another", below=(name,))
        return value

    @field_validator("accounts", "apps")
    @classmethod
    def _check_appids(
        cls, value: Mapping[str, Account | App], info: ValidationInfo
    ) -> Mapping[str, Account | App]:
        first = {account.appid: f"accounts.{name}" for name, account in info.data.get("accounts", {}).items()}
        for name, one in value.items():
            if isinstance(one, WeCom):
                continue  # several applications of an enterprise share its CorpID
            place = f"{info.field_name}.{name}"
            if (other := first.setdefault(one.appid, place)) != place:
                raise Fault(f"is the appid of {other} as well", below=(name, "appid"))
        return value

    @field_validator("accounts")
    @classmethod
    def _check_targets(cls, value: Mapping[str, Account], info: ValidationInfo) -> Mapping[str, Account]:
        server = info.data.get("server")
        for name, account in value.items():
            for index, target in enumerate(account.forward):
                if server and is_own_callback(target.url, public_url=server.public_url, port=server.port):
                    raise Fault(
                        "is the service's own callback: set the address of the other system",
                        below=(name, "forward", str(index), "url"),
                    )
        return value

    @field_validator("clients", mode="before")
    @classmethod
    def _show_sections(cls, value: object, info: ValidationInfo) -> object:
        """Let the checks of each client see the accounts and apps, so that its faults are reported at once."""
        if info.context is not None:
            info.context["valid"] = info.data
        return value

    @field_validator("secret_key")
    @classmethod
    def _check_secret_keys(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        stores = [info.data[part].url for part in ("database", "redis") if part in info.data]
        if not value and any(url != EMBEDDED for url in stores):
            raise Fault(
                "is missing: needed unless both stores are embedded; `scanbind keys new secret_key` prints one"
            )
        if any(len(key) < SHORTEST_KEY for key in value):
            raise Fault(f"must be {SHORTEST_KEY} characters or more")
        return value


_SHAPES: Final = shapes_of(Settings)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file at *path*, or ./config.yaml if it exists, and the SCANBIND_ variables of *environ*.

    Raises ConfigError with all faults of the file and the variables.
    """
    return _validated(_read(path, environ), environ)


def load_data_dir(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Return `data_dir` alone: the rest may have faults, or files that only the service may read.

    Raises ConfigError if the file is missing or is no YAML mapping, or `data_dir` has a fault.
    """
    return _load_alone("data_dir", path, environ).data_dir


def load_server(path: Path | None, environ: Mapping[str, str]) -> Server:
    """Return `server` alone, which a running service uses even if the rest now has faults.

    Raises: as `load_data_dir`.
    """
    return _load_alone("server", path, environ).server


def _load_alone(part: str, path: Path | None, environ: Mapping[str, str]) -> Settings:
    tree = _read(path, environ)
    alone = {name: value for name, value in tree.values.items() if name == part}
    return _validated(replace(tree, values=alone, faults=()), environ)


def _read(path: Path | None, environ: Mapping[str, str]) -> sources.Tree:
    default = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    try:
        return sources.read(path or default, environ, _SHAPES)
    except UnreadableError as error:
        raise ConfigError([str(error)]) from None


def validate(values: Mapping[str, Any], environ: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Create settings from *values*, shaped like the file, overridden by the variables. Raises ConfigError."""
    return _validated(sources.overlay(values, environ, _SHAPES), environ)


def _validated(tree: sources.Tree, environ: Mapping[str, str]) -> Settings:
    context: dict[str, Any] = {"environ": environ}
    for part in ("accounts", "apps"):
        given = tree.values.get(part)
        if given is None or isinstance(given, Mapping):
            context[part] = given or {}
    try:
        settings = Settings.model_validate(tree.values, context=context)
    except ValidationError as error:
        # Not chained: pydantic's error contains the input, with its secrets.
        raise ConfigError([*tree.faults, *fault_lines(error, tree)]) from None
    if tree.faults:
        raise ConfigError(tree.faults)
    settings._exposed = tuple(map(shown_path, tree.exposed))  # noqa: SLF001 - only its loader knows the files
    return settings
