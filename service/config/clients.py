"""The settings of a site that uses the service."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from models.language import Lang
from models.ticket import Confirm, Purpose
from service.config.fault import Fault
from service.config.section import Section
from service.config.types import Both, ClientSecrets, Name, Origin, SecretHashes, Title, Version, filled

MOST_SECRETS: Final = 2
"""Maximum number of secrets, and of hashes, of one client: the new and the old one while rotating."""
CONFIRM: Final = {Purpose.LOGIN: Confirm.CHOOSE, Purpose.BIND: Confirm.MATCH}


class Client(Section):
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
