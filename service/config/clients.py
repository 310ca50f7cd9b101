"""The settings of a site that uses the service."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from models.binding import Policy
from models.language import Lang
from models.method import Method
from models.ticket import Confirm, Purpose
from service.config.fault import Fault
from service.config.methods import Means, lacking
from service.config.section import Section
from service.config.types import (
    Both,
    ClientSecrets,
    Name,
    Names,
    Origin,
    ReturnUrl,
    SealingKeys,
    SecretHashes,
    Version,
)
from service.config.webhooks import Webhook

MOST_RETURN_URLS: Final = 32
MOST_WEBHOOKS: Final = 8
CONFIRM: Final = {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.MATCH}


class Client(Section):
    """A site that uses the service. `name` always has both languages, and `confirm` both purposes."""

    name: Names
    require_sealed: bool = False
    """Whether its back end must seal its calls (contract.md 9). The secret, then optional, is refused."""
    sealing_key: SealingKeys = ()
    """32 bytes in base64url, newest first; two while rotating."""
    secret_hash: SecretHashes = ()
    """Hashes from `scanbind keys new client`, so that the configuration contains no secret; two while rotating."""
    secret: ClientSecrets = ()
    """16 characters or more each, newest first; two while rotating. Optional if there is a hash."""
    apps: tuple[Name, ...] = ()
    accounts: tuple[Name, ...] = ()
    """The first with `api` is the default. Empty only if there are apps."""
    origins: tuple[Origin, ...] = ()
    """As browsers serialize them."""
    return_urls: tuple[ReturnUrl, ...] = ()
    """Where browsers may return to; compared as text."""
    methods: tuple[Method, ...] = (Method.SCAN,)
    """In the order in which they are offered."""
    profile: bool = False
    """Whether to ask for a person's name and picture where a method can give them."""
    confirm: Annotated[
        Mapping[Purpose, Confirm],
        Both(tuple(Purpose)),
        AfterValidator(lambda given: CONFIRM | given),
    ] = Field(default_factory=dict)
    rebind: Literal["reject", "replace"] = "reject"
    takeover: Literal["reject", "move"] = "reject"
    lang: Lang = Lang.ZH
    access_token: tuple[Name, ...] = ()
    """The accounts whose access token the site may have, and with it their whole API."""
    consent: Version = ""
    """The current version of the notice that users agree to; stored with each binding unless it is empty."""

    def has(self, name: str) -> bool:
        """Tell whether this is the name of one of its accounts or apps."""
        return name in self.accounts or name in self.apps

    def serves(self, method: Method, account: str) -> bool:
        """Tell whether its tickets of *method* at *account* go on: both may have been removed since."""
        return method in self.methods and self.has(account)

    webhooks: tuple[Webhook, ...] = ()
    """Where events are posted, each to a URL of its own."""

    notices: bool = False
    """Whether people are told in the chat of changes of their bindings that they may not have made."""

    @property
    def policy(self) -> Policy:
        """What a bind may change."""
        return Policy(
            rebind_replaces=self.rebind == "replace",
            takeover_moves=self.takeover == "move",
            consent=self.consent or None,
        )

    @field_validator("secret")
    @classmethod
    def _require_secret_or_hash(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and not info.data.get("secret_hash", True) and not info.data.get("require_sealed", True):
            raise Fault("is missing: set secret or secret_hash")
        return value

    @field_validator("sealing_key")
    @classmethod
    def _require_sealing_key(cls, value: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if not value and info.data.get("require_sealed"):
            raise Fault("is missing: needed with require_sealed; `scanbind keys new sealing_key` prints one")
        return value

    @field_validator("apps", "accounts", "return_urls", "methods", "access_token")
    @classmethod
    def _check_distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise Fault("must not contain duplicates")
        return value

    @field_validator("apps", "accounts")
    @classmethod
    def _check_names(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (info.context or {}).get(info.field_name, value)
        if unknown := [name for name in value if name not in known]:
            raise Fault(f"must be names under {info.field_name}; missing there: {', '.join(unknown)}")
        return value

    @field_validator("accounts")
    @classmethod
    def _require_account(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value and not info.data.get("apps", True):
            raise Fault("must name at least one account")
        return value

    @field_validator("return_urls")
    @classmethod
    def _check_number(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST_RETURN_URLS:
            raise Fault(f"must not be more than {MOST_RETURN_URLS}")
        return value

    @field_validator("webhooks")
    @classmethod
    def _check_webhooks(cls, value: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        if len(value) > MOST_WEBHOOKS:
            raise Fault(f"must not be more than {MOST_WEBHOOKS}")
        urls = [one.url for one in value]
        for number, url in enumerate(urls):
            if url in urls[:number]:
                raise Fault("is the url of an earlier webhook as well", below=(str(number), "url"))
        return value

    @field_validator("access_token")
    @classmethod
    def _check_granted(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        accounts = (info.context or {}).get("valid", {}).get("accounts")
        known = value if accounts is None else [name for name, account in accounts.items() if account.api]
        if unknown := [name for name in value if name not in known]:
            raise Fault(f"must be names of accounts with api true; not among these: {', '.join(unknown)}")
        return value

    @field_validator("notices")
    @classmethod
    def _check_notices(cls, value: bool, info: ValidationInfo) -> bool:
        means = _means(info) if value else None
        if means and not any(account.api for account in means.accounts):
            raise Fault("needs an account with api true")
        return value

    @field_validator("methods")
    @classmethod
    def _check_methods(cls, value: tuple[Method, ...], info: ValidationInfo) -> tuple[Method, ...]:
        if not value:
            raise Fault("must name at least one method")
        if means := _means(info):
            lacks = {method: list(lacking(method, means)) for method in value}
            if faults := [f"{method} needs {' and '.join(what)}" for method, what in lacks.items() if what]:
                raise Fault("; ".join(faults))
        return value


def _means(info: ValidationInfo) -> Means | None:
    """Return what the client may use; None if a part of it has faults of its own."""
    valid, client = (info.context or {}).get("valid", {}), info.data
    if not ({"accounts", "apps"} <= valid.keys() and {"accounts", "apps", "return_urls"} <= client.keys()):
        return None
    return Means(
        accounts=[valid["accounts"][name] for name in client["accounts"]],
        apps=[valid["apps"][name] for name in client["apps"]],
        return_urls=client["return_urls"],
    )
