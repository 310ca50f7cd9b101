"""The settings, as one frozen tree. Validation reports all faults at once, each with its path.

Messages never quote a value, since it may be a secret.
"""

from collections.abc import Mapping, Sequence
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

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config import sources
from service.config.fault import Fault
from service.config.fault_lines import fault_lines
from service.config.proxies import ProxyUrl, proxy_of_environment
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
    Folder,
    GhId,
    Lifetime,
    Limit,
    ListeningHost,
    Name,
    Network,
    Origin,
    Port,
    RedisUrl,
    Secret,
    SecretHashes,
    Secrets,
    Skew,
    Title,
    Tokens,
    VaultKeys,
    Version,
    WebAddress,
    filled,
)
from service.config.yaml_file import UnreadableError

DEFAULT_FILE: Final = Path("config.yaml")
SHORTEST_KEY: Final = 32
"""Minimum length of a `secret_key`, in characters."""
MOST_SECRETS: Final = 2
"""Maximum number of secrets, and of hashes, of one client: the new and the old one while rotating."""
CONFIRM: Final = {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.MATCH}


class ConfigError(Exception):
    """The service cannot run with this configuration. `faults` has one line per fault, beginning with its path."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)


def _is_test(account: Mapping[str, Any]) -> bool:
    return account.get("kind") == "test"


class _Section(BaseModel):
    """One level of the tree. A key without a value (YAML null) counts as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_keys(cls, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if item is not None or key not in cls.model_fields}


class Server(_Section):
    host: ListeningHost = "127.0.0.1"
    port: Port = 8080
    """0: the system chooses a free port."""
    public_url: WebAddress = Field(default_factory=lambda known: f"http://127.0.0.1:{known.get('port', 8080)}")
    """Without a trailing slash."""
    trusted_proxies: tuple[Network, ...] = ()
    proxy_headers: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    """The headers of trusted proxies that are used; the others may come from clients."""


class Database(_Section):
    url: DatabaseUrl = Field(default=EMBEDDED, repr=False)
    """`embedded`, or an SQLAlchemy URL with an async driver. May contain a password."""


class Redis(_Section):
    url: RedisUrl = Field(default=EMBEDDED, repr=False)
    """`embedded`, or a URL as configured. May contain a password."""


class Encryption(_Section):
    """The keys that encrypt openids and unionids in the database, newest first. Empty: no encryption."""

    keys: VaultKeys = ()
    """`clear` stands for no key: while it comes first, new rows are not encrypted; encrypted ones can be read."""


class Account(_Section):
    """An Official Account. `token` and `aes_key` are listed newest first, several while rotating."""

    kind: Literal["official", "test"] = "official"
    """A test account (测试号) has only plain mode, no AES key and fewer QR codes (wechat-protocol.md 2, 8)."""
    appid: AppId
    secret: Secret
    token: Tokens
    mode: Literal["safe", "compatible", "plain"] = Field(
        default_factory=lambda known: "plain" if _is_test(known) else "safe"
    )
    aes_key: AesKeys = ()
    allow_unsigned_body: bool = Field(default_factory=_is_test)
    max_skew: Skew = 300
    """Seconds; 0 accepts any timestamp."""
    gh_id: GhId = ""
    """The original id that pushes must be addressed to; empty: not checked."""
    api_base: WebAddress = "https://api.weixin.qq.com"
    proxy: ProxyUrl = Field(default="", repr=False)
    """For calls to `api_base` alone; if empty, that of HTTPS_PROXY. May contain a password."""
    unfollow: Literal["erase", "keep"] = "erase"
    codes_per_day: Allowance = Field(default_factory=lambda known: 10_000 if _is_test(known) else 100_000)
    """WeChat's daily quota of QR codes for the account (wechat-protocol.md 2)."""
    codes_for_binds: Limit = 5000
    """The part of the quota that is reserved for binds."""

    @field_validator("proxy")
    @classmethod
    def _use_environment(cls, value: str, info: ValidationInfo) -> str:
        return value or proxy_of_environment(
            (info.context or {}).get("environ", {}), info.data.get("api_base", "")
        )

    @field_validator("codes_for_binds")
    @classmethod
    def _check_share(cls, value: int, info: ValidationInfo) -> int:
        if value >= info.data.get("codes_per_day", value + 1):
            raise Fault("must be less than codes_per_day, to leave QR codes for logins")
        return value

    @field_validator("token")
    @classmethod
    def _require_token(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value:
            raise Fault("is missing")
        return value

    @field_validator("mode")
    @classmethod
    def _check_mode_of_test_account(cls, value: str, info: ValidationInfo) -> str:
        if _is_test(info.data) and value != "plain":
            raise Fault("must be plain or left out with kind test: a test account has no other mode")
        return value

    @field_validator("aes_key")
    @classmethod
    def _require_key(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if value and _is_test(info.data):
            raise Fault("must be left out with kind test: a test account has none")
        if not value and info.data.get("mode", "plain") != "plain":
            raise Fault("is missing: modes safe and compatible need it")
        return value

    @field_validator("allow_unsigned_body")
    @classmethod
    def _check_plain_mode(cls, value: bool, info: ValidationInfo) -> bool:
        if _is_test(info.data) and not value:
            raise Fault("must be true or left out with kind test: nothing signs the bodies of its pushes")
        if info.data.get("mode") == "plain" and not value:
            raise Fault(
                "must be true with mode plain, whose bodies are not signed, so scans can be forged; prefer safe"
            )
        return value


class Client(_Section):
    """A site that uses the service. `name` always has both languages, and `confirm` both purposes."""

    name: Annotated[Mapping[Lang, Title], Both(tuple(Lang)), AfterValidator(filled)]
    secret_hash: SecretHashes = ()
    """Hashes from `scanbind keys new client`, so that the configuration contains no secret; two while rotating."""
    secret: ClientSecrets = ()
    """16 characters or more each, newest first; two while rotating. Optional if there is a hash."""
    accounts: tuple[Name, ...]
    """At least one; the first is the default."""
    origins: tuple[Origin, ...] = ()
    """As browsers serialize them."""
    confirm: Annotated[
        Mapping[Purpose, Confirm],
        Both(tuple(Purpose)),
        AfterValidator(lambda given: CONFIRM | given),
    ] = Field(default_factory=dict)
    rebind: Literal["reject", "replace"] = "reject"
    takeover: Literal["reject", "move"] = "reject"
    lang: Lang = Lang.ZH
    consent: Version = ""
    """The current version of the notice that users agree to; stored with each binding unless it is empty."""

    @field_validator("secret", "secret_hash")
    @classmethod
    def _check_count(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if len(value) > MOST_SECRETS:
            raise Fault("must not be more than two")
        return value

    @field_validator("secret")
    @classmethod
    def _require_secret_or_hash(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and not info.data.get("secret_hash", True):
            raise Fault("is missing: set secret or secret_hash")
        return value

    @field_validator("accounts")
    @classmethod
    def _check_accounts(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (info.context or {}).get("accounts", value)
        if not value:
            raise Fault("must name at least one account")
        if len(set(value)) < len(value):
            raise Fault("must not name an account twice")
        if unknown := [name for name in value if name not in known]:
            raise Fault(f"must be names under accounts; missing there: {', '.join(unknown)}")
        return value


class Tickets(_Section):
    """Lifetimes in seconds."""

    login_lifetime: Lifetime = 300
    bind_lifetime: Lifetime = 600


class Limits(_Section):
    """Requests per minute; open waits and connections per process. 0: no limit."""

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


class Privacy(_Section):
    """Retention, in days."""

    history_days: Days = 365
    audit_days: Days = 190
    endings_days: Days = 1


class Settings(_Section):
    """All settings (contract.md 1). Create with `load` or `validate`."""

    server: Server = Field(default_factory=Server)
    data_dir: Folder = Path("var")
    database: Database = Field(default_factory=Database)
    redis: Redis = Field(default_factory=Redis)
    secret_key: Secrets = ()
    """As configured, newest first. Use `resolve_secret_keys`, which also reads the key file."""
    encryption: Encryption = Field(default_factory=Encryption)
    accounts: Mapping[Name, Account] = Field(default_factory=dict)
    clients: Mapping[Name, Client] = Field(default_factory=dict)
    tickets: Tickets = Field(default_factory=Tickets)
    limits: Limits = Field(default_factory=Limits)
    privacy: Privacy = Field(default_factory=Privacy)

    @property
    def appids(self) -> dict[str, str]:
        """The appid of each account."""
        return {name: account.appid for name, account in self.accounts.items()}

    @field_validator("accounts")
    @classmethod
    def _check_appids(cls, value: Mapping[str, Account]) -> Mapping[str, Account]:
        first: dict[str, str] = {}
        for name, account in value.items():
            if (other := first.setdefault(account.appid, name)) != name:
                raise Fault(f"is the appid of accounts.{other} as well", below=(name, "appid"))
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
    default = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    try:
        tree = sources.read(path or default, environ, _SHAPES)
    except UnreadableError as error:
        raise ConfigError([str(error)]) from None
    return _validated(tree, environ)


def validate(values: Mapping[str, Any], environ: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Create settings from *values*, shaped like the file, overridden by the variables. Raises ConfigError."""
    return _validated(sources.overlay(values, environ, _SHAPES), environ)


def _validated(tree: sources.Tree, environ: Mapping[str, str]) -> Settings:
    accounts = tree.values.get("accounts")
    known = {} if accounts is None else accounts
    context = {"environ": environ} | ({"accounts": known} if isinstance(known, Mapping) else {})
    try:
        settings = Settings.model_validate(tree.values, context=context)
    except ValidationError as error:
        # Not chained: pydantic's error contains the input, with its secrets.
        raise ConfigError([*tree.faults, *fault_lines(error, tree.variables)]) from None
    if tree.faults:
        raise ConfigError(tree.faults)
    return settings
