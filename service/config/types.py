"""The types of setting values. A check's message never quotes the value."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from models.language import Lang
from service.config.addresses import (
    listening_host,
    listening_place,
    origin,
    return_url,
    safe_web_address,
    target_url,
    web_address,
)
from service.config.database_url import database_url
from service.config.fault import Fault
from service.config.redis_url import redis_url

MOST_SECRETS: Final = 2
"""Maximum number of secrets in use for one purpose: the new and the old one while rotating."""

EMBEDDED: Final = "embedded"
"""The value of `database.url` and `redis.url` for a store that the service runs itself, in `data_dir`."""

WECHAT_API: Final = "https://api.weixin.qq.com"
WECHAT_PAGES: Final = "https://open.weixin.qq.com"
"""Where WeChat shows its pages of authorization."""

LONGEST_LIFETIME: Final = 1800
"""Maximum lifetime of a ticket, in seconds (contract.md 1)."""

_SPACES: Final = {
    " ": "a space",
    "\n": "a newline",
    "\r": "a carriage return",
    "\t": "a tab",
    "\u3000": "a full-width space",
}
_UNSEEN: Final = "\u200b\u2060\ufeff"


class WithCommas:
    """Marks a list whose items may contain commas: a variable has one item, or a JSON list."""


def _matching(pattern: str, fault: str) -> Callable[[str], str]:
    form = re.compile(pattern, re.DOTALL)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise Fault(fault)
        return value

    return check


def _unspaced(value: str) -> str:
    """Refuse spaces around a value by name: in a file they are easily overlooked."""
    if not value:
        raise Fault("must not be empty")
    for sign, where in ((value[-1], "ends in"), (value[0], "begins with")):
        if sign.isspace() or sign in _UNSEEN:
            raise Fault(f"{where} {_SPACES.get(sign, f'an invisible U+{ord(sign):04X}')}: remove it")
    return value


def file_path(value: object) -> object:
    """Check a path as the configuration has it, before it becomes a Path."""
    if isinstance(value, str) and "\0" in _unspaced(value):
        raise Fault("must not contain a NUL")
    return value


def _hidden(check: Callable[[str], str]) -> AfterValidator:
    """Apply *check* to the text of a SecretStr, or of each in a tuple."""

    def check_all(value: Any) -> Any:
        for secret in value if isinstance(value, tuple) else (value,):
            check(secret.get_secret_value())
        return value

    return AfterValidator(check_all)


def _whole(low: int, high: int | None = None) -> BeforeValidator:
    """Accept an integer from *low* to *high*, or its decimal digits; no boolean and no float."""
    bounds = f"must be from {low} to {high}" if high is not None else f"must be {low} or more"

    def check(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,12}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Fault("must be a whole number")
        if value < low or (high is not None and value > high):
            raise Fault(bounds)
        return value

    return BeforeValidator(check)


def _skew(value: int) -> int:
    if value and not 30 <= value <= 3600:  # wechat-protocol.md 3.4: redeliveries alone span 15 seconds
        raise Fault("must be 0, or from 30 to 3600")
    return value


def _several(value: object) -> object:
    """Accept one string for a list of one, so that a list is only needed while rotating, and '' for an empty list.

    An empty variable stands for a setting that is left out.
    """
    if value == "":
        return ()
    many = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(item, str) for item in many):
        raise Fault("must be a string, quoted if need be, or a list of strings, newest first")
    return many


def _unless(word: str, check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: value if value == word else check(value)


def _distinct(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if len(set(value)) < len(value):
        raise Fault("must not contain duplicates")
    return value


def _few(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if len(value) > MOST_SECRETS:
        raise Fault("must not be more than two")
    return value


def _encoded(prefix: str, shortest: int, longest: int, fault: str) -> Callable[[str], str]:
    """Accept *prefix* and the base64 (RFC 4648, 4) of so many bytes."""

    def check(value: str) -> str:
        try:
            raw = b64decode(value.removeprefix(prefix), validate=True)
        except ValueError:
            raise Fault(fault) from None
        if value != prefix + b64encode(raw).decode() or not shortest <= len(raw) <= longest:
            raise Fault(fault)
        return value

    return check


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(value))
    except ValueError:
        raise Fault("must be a network such as 10.0.0.0/8, or one address") from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    # A dual-stack socket shows IPv4 as ::ffff:10.0.0.1, which is read as IPv4 everywhere.
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


@dataclass(frozen=True)
class Both:
    """Lets one word stand for all *parts* of a mapping."""

    parts: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._spread, handler(source))

    def _spread(self, value: object) -> object:
        return dict.fromkeys(self.parts, value) if isinstance(value, str) else value


def _filled(titles: dict[Lang, str]) -> dict[Lang, str]:
    """Use an only name for the other language as well."""
    return dict.fromkeys(Lang, next(iter(titles.values()))) | titles if titles else {}


def _given(titles: dict[Lang, str]) -> dict[Lang, str]:
    if not titles:
        raise Fault("must be a name, or a name for zh, en or both")
    return titles


_name = _matching(
    r"(?!.*__)[a-z0-9_]{1,64}", "must be a name of 1 to 64 of a-z 0-9 _, without a double underscore"
)
_app_id = _matching(
    r"wx[A-Za-z0-9]{16}", "must be an AppID, wx and 16 letters or digits; gh_... is the original id, gh_id"
)
_corp_id = _matching(r"ww[A-Za-z0-9]{16}", "must be a CorpID, ww and 16 letters or digits")
_page = _matching(
    r"(?!/)[A-Za-z0-9_/-]{1,128}(?<!/)",
    "must be the path of a page such as pages/scan/index, without a slash at either end and without parameters",
)
_verify_name = _matching(
    r"[A-Za-z0-9_]{1,64}\.txt", "must be the name of a file, 1 to 64 of A-Z a-z 0-9 _ and then .txt"
)
_verify_content = _matching(r"[ -~]{1,128}", "must be 1 to 128 printable ASCII characters")
_gh_id = _matching(r"[A-Za-z0-9_-]{0,64}", "must be an original id such as gh_0123456789ab")
_aes_key = _matching(r"[A-Za-z0-9]{43}", "must be 43 characters of A-Z a-z 0-9")
# 43 characters have two bits more than the hash: these are zero in every hash.
_secret_hash = _matching(
    r"sha256:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]",
    "must be sha256: and 43 characters, as `scanbind keys new client` prints it",
)
# 43 characters have two bits more than 32 bytes: these are zero in every key.
_sealing_key = _matching(
    r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]",
    "must be 32 bytes as 43 characters of base64url, as `scanbind keys new sealing_key` prints them",
)
_client_secret = _matching(r".{16,}", "must be 16 characters or more")
_title = _matching(
    r"(?=\S)[^\x00-\x1f\x7f-\x9f]{1,64}(?<=\S)",
    "must be 1 to 64 characters without control characters, not beginning or ending with a space",
)
_paragraph = _matching(
    r"(?=.*\S)[^\x00-\x09\x0b-\x1f\x7f-\x9f]{1,600}",
    "must be 1 to 600 characters, line breaks among them, without other control characters",
)
_event_name = _matching(
    r"[A-Za-z_]{1,64}", "must be names such as text or subscribe, 1 to 64 of A-Z a-z and _ each"
)
_version = _matching(r"[^\x00-\x1f\x7f-\x9f]{0,64}", "must be 64 characters at most, without control characters")
_vault_key = _matching(
    r"clear|[^,]{32,}", "must be 32 characters or more each, without a comma, or the word clear"
)
_webhook_secret = _encoded(
    "whsec_", 24, 64, "must be whsec_ and the base64 of 24 to 64 bytes, as `scanbind keys new webhook` prints it"
)
_webhook_key = _encoded(
    "whsk_", 32, 32, "must be whsk_ and the base64 of 32 bytes, as `scanbind keys new webhook_key` prints it"
)

_SecretList = Annotated[
    tuple[SecretStr, ...],
    BeforeValidator(_several),
    _hidden(_unspaced),
    AfterValidator(_distinct),
]

AgentId = Annotated[int, _whole(1)]
Allowance = Annotated[int, _whole(1)]
AesKey = Annotated[SecretStr, _hidden(_unspaced), _hidden(_aes_key)]
AesKeys = Annotated[_SecretList, _hidden(_aes_key)]
AppId = Annotated[str, AfterValidator(_unspaced), AfterValidator(_app_id)]
CorpId = Annotated[str, AfterValidator(_unspaced), AfterValidator(_corp_id)]
DatabaseUrl = Annotated[str, AfterValidator(_unless(EMBEDDED, database_url))]
EventName = Annotated[str, AfterValidator(_event_name)]
Folder = Annotated[Path, BeforeValidator(file_path)]
Days = Annotated[int, _whole(1, 36_500)]
GhId = Annotated[str, AfterValidator(_gh_id)]
ListeningHost = Annotated[str, AfterValidator(_unspaced), AfterValidator(listening_host)]
ListeningPlace = Annotated[
    str, AfterValidator(_unless("", _unspaced)), AfterValidator(_unless("", listening_place))
]
Lifetime = Annotated[int, _whole(30, LONGEST_LIFETIME)]
Limit = Annotated[int, _whole(0)]
Name = Annotated[str, AfterValidator(_name)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
OpenPlatform = Annotated[str, AfterValidator(_unless("", _name))]
Origin = Annotated[str, AfterValidator(origin)]
OptionalParagraphs = Annotated[
    Mapping[Lang, Annotated[str, AfterValidator(_paragraph)]], Both(tuple(Lang)), AfterValidator(_filled)
]
"""A text of several lines for people in each language, of which one stands for all; or none."""
Page = Annotated[str, AfterValidator(_unspaced), AfterValidator(_page)]
Port = Annotated[int, _whole(0, 65535)]
RedisUrl = Annotated[str, AfterValidator(_unless(EMBEDDED, redis_url))]
ReturnUrl = Annotated[str, AfterValidator(return_url)]
SafeWebAddress = Annotated[str, AfterValidator(safe_web_address)]
Secret = Annotated[SecretStr, _hidden(_unspaced)]
SecretHashes = Annotated[_SecretList, _hidden(_secret_hash), AfterValidator(_few)]
SealingKeys = Annotated[_SecretList, _hidden(_sealing_key), AfterValidator(_few)]
Secrets = Annotated[_SecretList, WithCommas]
ClientSecrets = Annotated[_SecretList, WithCommas, _hidden(_client_secret), AfterValidator(_few)]
Skew = Annotated[int, _whole(0), AfterValidator(_skew)]
TargetTimeout = Annotated[int, _whole(1, 4)]
TargetUrl = Annotated[str, AfterValidator(_unspaced), AfterValidator(target_url)]
Title = Annotated[str, AfterValidator(_title)]
OptionalNames = Annotated[Mapping[Lang, Title], Both(tuple(Lang)), AfterValidator(_filled)]
"""A name for people in each language, of which one stands for all; or none."""
Names = Annotated[OptionalNames, AfterValidator(_given)]
Tokens = _SecretList
VaultKeys = Annotated[_SecretList, _hidden(_vault_key)]
VerifyContent = Annotated[str, AfterValidator(_unspaced), AfterValidator(_verify_content)]
VerifyName = Annotated[str, AfterValidator(_verify_name)]
Version = Annotated[str, AfterValidator(_version)]
WebAddress = Annotated[str, AfterValidator(web_address)]
WebhookKeys = Annotated[_SecretList, _hidden(_webhook_key), AfterValidator(_few)]
WebhookSecrets = Annotated[_SecretList, _hidden(_webhook_secret), AfterValidator(_few)]
