"""What the operator decides, as one frozen tree. Every fault is told at once, each by its path.

No message holds a secret: what is wrong with a value is said without the value.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config import sources
from service.config.shapes import shapes_of
from service.config.types import (
    EMBEDDED,
    AesKeys,
    Allowance,
    AppId,
    Both,
    ClientSecrets,
    DatabaseUrl,
    Days,
    Fault,
    Folder,
    GhId,
    Lifetime,
    Limit,
    Name,
    Network,
    Origin,
    Port,
    RedisUrl,
    Secret,
    SecretHashes,
    Secrets,
    Skew,
    Text,
    Title,
    Tokens,
    VaultKeys,
    Version,
    WebAddress,
    filled,
)

DEFAULT_FILE: Final = Path("config.yaml")
SHORTEST_KEY: Final = 32
"""Characters in `secret_key`, at least."""
MOST_SECRETS: Final = 2
"""Secrets of a client at once, and hashes of secrets: the new one and the old one."""
CONFIRM: Final = {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.MATCH}


class ConfigError(Exception):
    """The configuration cannot be used; `faults` has one line per fault, each beginning with its path."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


class _Part(BaseModel):
    """One level of the tree. A key with nothing after it counts as left out, as YAML writers mean it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_empty(cls, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if item is not None or key not in cls.model_fields}


class Server(_Part):
    host: Text = "127.0.0.1"
    port: Port = 8080
    """0 lets the system choose a free one."""
    public_url: WebAddress = Field(default_factory=lambda known: f"http://127.0.0.1:{known.get('port', 8080)}")
    """Without a slash at its end."""
    trusted_proxies: tuple[Network, ...] = ()


class Database(_Part):
    url: DatabaseUrl = Field(default=EMBEDDED, repr=False)
    """`embedded`, or an SQLAlchemy address with its async driver; may hold a password."""


class Redis(_Part):
    url: RedisUrl = Field(default=EMBEDDED, repr=False)
    """As the operator wrote it; may hold a password."""


class Encryption(_Part):
    """What openids and unionids are sealed with in the database, newest first; with nothing they are not."""

    keys: VaultKeys = ()
    """`clear` is the place of no key: sealed rows are read, and new ones are not sealed while it comes first."""


class Account(_Part):
    """An Official Account. `token` and `aes_key` are newest first: more than one while rotating."""

    appid: AppId
    secret: Secret
    token: Tokens
    mode: Literal["safe", "compatible", "plain"] = "safe"
    aes_key: AesKeys = ()
    allow_unsigned_body: bool = False
    max_skew: Skew = 300
    """Seconds; 0 takes any timestamp."""
    gh_id: GhId = ""
    """Whom pushes must be for; nobody is asked when it is empty."""
    api_base: WebAddress = "https://api.weixin.qq.com"
    unfollow: Literal["erase", "keep"] = "erase"
    codes_per_day: Allowance = 100_000
    """How many codes WeChat makes for the account in a day (wechat-protocol.md 2)."""
    codes_for_binds: Limit = 5000
    """Of these, the last that no login gets."""

    @field_validator("codes_for_binds")
    @classmethod
    def _leaves_some_for_logins(cls, value: int, info: ValidationInfo) -> int:
        if value >= info.data.get("codes_per_day", value + 1):
            raise Fault("must be less than codes_per_day, or nobody could log in")
        return value

    @field_validator("token")
    @classmethod
    def _needs_one(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value:
            raise Fault("is missing")
        return value

    @field_validator("aes_key")
    @classmethod
    def _encryption_needs_a_key(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and info.data.get("mode", "plain") != "plain":
            raise Fault("is missing")
        return value

    @field_validator("allow_unsigned_body")
    @classmethod
    def _plain_is_a_choice(cls, value: bool, info: ValidationInfo) -> bool:
        if info.data.get("mode") == "plain" and not value:
            raise Fault("must be true with mode plain, where nothing signs the body: anyone could forge a scan")
        return value


class Client(_Part):
    """A site that uses the service. `name` has both languages and `confirm` both purposes, however written."""

    name: Annotated[Mapping[Lang, Title], Both(tuple(Lang)), AfterValidator(filled)]
    secret_hash: SecretHashes = ()
    """As `scanbind keys new client` prints it: what need not be kept here in the clear. Two while rotating."""
    secret: ClientSecrets = ()
    """16 characters or more each, newest first; two while rotating, none where there is a hash."""
    accounts: tuple[Name, ...]
    """At least one; the first is the default."""
    origins: tuple[Origin, ...] = ()
    """As browsers write them."""
    confirm: Annotated[
        Mapping[Purpose, Confirm],
        Both(tuple(Purpose)),
        AfterValidator(lambda given: CONFIRM | given),
    ] = Field(default_factory=dict)
    rebind: Literal["reject", "replace"] = "reject"
    takeover: Literal["reject", "move"] = "reject"
    lang: Lang = Lang.ZH
    consent: Version = ""
    """Which version of the site's notice people agree to now; kept with each binding unless it is empty."""

    @field_validator("secret", "secret_hash")
    @classmethod
    def _two_at_most(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if len(value) > MOST_SECRETS:
            raise Fault("must be one, or two while rotating")
        return value

    @field_validator("secret")
    @classmethod
    def _one_or_its_hash(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and not info.data.get("secret_hash", True):
            raise Fault("is missing")
        return value

    @field_validator("accounts")
    @classmethod
    def _are_configured(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (info.context or {}).get("accounts", value)
        if not value:
            raise Fault("must name at least one account")
        if len(set(value)) < len(value):
            raise Fault("must not name an account twice")
        if strangers := [name for name in value if name not in known]:
            raise Fault(f"must name configured accounts; there is no {', '.join(strangers)}")
        return value


class Tickets(_Part):
    """Lifetimes in seconds."""

    login_lifetime: Lifetime = 300
    bind_lifetime: Lifetime = 600


class Limits(_Part):
    """How often is too often, per minute; how many may wait, or be connected, in one process. 0 is no limit."""

    tickets_per_address: Limit = 30
    tickets_per_client: Limit = 3000
    tickets_per_user: Limit = 60
    scans_per_openid: Limit = 120
    scans_per_ticket: Limit = 300
    failures_per_address: Limit = 120
    bad_signatures_per_address: Limit = 120
    waiting_per_address: Limit = 256
    waiting: Limit = 50_000
    connections_per_address: Limit = 512


class Privacy(_Part):
    """How long the past is kept, in days."""

    history_days: Days = 365
    audit_days: Days = 190
    endings_days: Days = 1


class Settings(_Part):
    """Everything the operator decides (contract.md 1). Made by `load` or `validate`, never by hand."""

    server: Server = Field(default_factory=Server)
    data_dir: Folder = Path("var")
    database: Database = Field(default_factory=Database)
    redis: Redis = Field(default_factory=Redis)
    secret_key: Secrets = ()
    """As configured, newest first; `resolve_secret_keys` gives those to use."""
    encryption: Encryption = Field(default_factory=Encryption)
    accounts: Mapping[Name, Account] = Field(default_factory=dict)
    clients: Mapping[Name, Client] = Field(default_factory=dict)
    tickets: Tickets = Field(default_factory=Tickets)
    limits: Limits = Field(default_factory=Limits)
    privacy: Privacy = Field(default_factory=Privacy)

    @field_validator("secret_key", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return () if value == "" else value

    @field_validator("secret_key")
    @classmethod
    def _keys_are_long_or_ours(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        stores = [info.data[part].url for part in ("database", "redis") if part in info.data]
        if not value and any(url != EMBEDDED for url in stores):
            raise Fault(f"is missing: {SHORTEST_KEY} characters or more, unless both stores are embedded")
        if any(len(key) < SHORTEST_KEY for key in value):
            raise Fault(f"must be {SHORTEST_KEY} characters or more")
        return value


_SHAPES: Final = shapes_of(Settings)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file at *path*, or ./config.yaml if there is one, and the SCANBIND_ variables of *environ*.

    Raises ConfigError with every fault of every source.
    """
    default = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    try:
        tree = sources.read(path or default, environ, _SHAPES)
    except sources.UnreadableError as error:
        raise ConfigError([str(error)]) from None
    return _validated(tree)


def validate(values: Mapping[str, Any], environ: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Make settings of nested mappings in the file's shape, and the variables over them. Raises ConfigError."""
    return _validated(sources.overlay(values, environ, _SHAPES))


def _validated(tree: sources.Tree) -> Settings:
    accounts = tree.values.get("accounts")
    context = {"accounts": accounts} if isinstance(accounts, Mapping) else None
    try:
        settings = Settings.model_validate(tree.values, context=context)
    except ValidationError as error:
        # Not chained: pydantic's error carries what was given, secrets and all.
        raise ConfigError([*tree.faults, *_lines(error, tree.variables)]) from None
    if tree.faults:
        raise ConfigError(tree.faults)
    return settings


_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "invalid_key": "must be a string; quote it",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "path_type": "must be a string; quote it",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_unicode": "must be UTF-8 text",
}


def _lines(error: ValidationError, variables: Mapping[sources.Steps, str]) -> Iterator[str]:
    for item in error.errors(include_url=False):
        if item["type"] == "default_factory_not_called":  # only ever beside the fault that caused it
            continue
        steps = tuple(str(step) for step in item["loc"] if step != "[key]")
        variable = _setter(steps, variables)
        origin = f" ({sources.shown(variable)})" if variable else ""
        yield f"{sources.shown('.'.join(steps)) or sources.PREFIX}: {_words(item)}{origin}"


def _words(item: ErrorDetails) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if isinstance(context.get("error"), Fault):
        return str(context["error"])
    if kind == "enum" and item["loc"][-1] == "[key]":
        return _WORDS["extra_forbidden"]
    if kind in ("enum", "literal_error"):
        return "must be " + str(context["expected"]).replace("'", "")
    if kind == "string_type":
        return "must be a string" if isinstance(item["input"], list | dict) else "must be a string; quote it"
    return _WORDS.get(kind, "is not valid")


def _setter(steps: sources.Steps, variables: Mapping[sources.Steps, str]) -> str | None:
    """Return the variable that wrote what stands at *steps*, or something in an unknown key there."""
    above = (variables.get(steps[:length]) for length in range(len(steps), 0, -1))
    below = (name for path, name in sorted(variables.items()) if path[: len(steps)] == steps)
    return next(filter(None, above), None) or next(below, None)
