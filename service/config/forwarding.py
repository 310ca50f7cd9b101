"""The settings of the systems to which an account's pushes are passed on (contract.md 9)."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from yarl import URL

from service.config.addresses import is_loopback
from service.config.fault import Fault
from service.config.section import Section
from service.config.types import AesKey, EventName, Secret, TargetTimeout, TargetUrl

MOST_TARGETS: Final = 8
_CALLBACK: Final = "/wechat/"


class Target(Section):
    """A system that gets pushes as WeChat would send them, with a token and key of its own."""

    url: TargetUrl
    token: Secret
    mode: Literal["safe", "plain"] = "safe"
    aes_key: AesKey | None = None
    format: Literal["xml", "json"] = "xml"
    events: tuple[EventName, ...] = ()
    """MsgType of messages and Event of events, in any case; empty: all."""
    copies: bool = Field(default=False, alias="copy")
    """Whether it gets the service's own pushes as well; its replies to these are ignored."""
    reply: Literal["first", "ignore"] = "first"
    timeout: TargetTimeout = 3
    """Seconds for an answer."""

    @field_validator("aes_key", mode="before")
    @classmethod
    def _accept_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("aes_key")
    @classmethod
    def _require_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("mode") == "safe":
            raise Fault("is missing: mode safe needs it")
        return value


def _check(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    if len(targets) > MOST_TARGETS:
        raise Fault(f"must not be more than {MOST_TARGETS}")
    first: dict[URL, int] = {}
    for index, target in enumerate(targets):
        if (same := first.setdefault(URL(target.url), index)) != index:
            raise Fault(f"is the url of forward.{same} as well", below=(str(index), "url"))
    return targets


Targets = Annotated[tuple[Target, ...], AfterValidator(_check)]


def is_own_callback(url: str, *, public_url: str, port: int) -> bool:
    """Return whether *url* leads back to this service: by its public address, or by its port on this machine."""
    target, public = URL(url), URL(public_url)
    if target.origin() == public.origin():
        return target.path.startswith(public.path.rstrip("/") + _CALLBACK)
    return is_loopback(target.host or "") and target.port == port and target.path.startswith(_CALLBACK)
