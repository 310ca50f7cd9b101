"""What a site must have for each method (contract.md 1)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models.method import REDIRECTS, Method
from service.config.accounts import Account
from service.config.apps import App


@dataclass(frozen=True, slots=True)
class Means:
    """What a site may use."""

    accounts: Sequence[Account]
    apps: Sequence[App]
    return_urls: Sequence[str]


_Need = tuple[str, Callable[[Means], bool]]


def lacking(method: Method, means: Means) -> Iterator[str]:
    """Yield what *method* needs and *means* does not have."""
    for what, has in (_NEEDS[method], *([_RETURN_URLS] if method in REDIRECTS else [])):
        if not has(means):
            yield what


def _app_of(kind: str) -> _Need:
    return f"an app of kind {kind}", lambda means: any(app.kind == kind for app in means.apps)


_OAUTH: Final[_Need] = (
    "an account with oauth base or userinfo",
    lambda means: any(account.oauth != "none" for account in means.accounts),
)
_RETURN_URLS: Final[_Need] = "return_urls", lambda means: bool(means.return_urls)
_NEEDS: Final[Mapping[Method, _Need]] = {
    Method.SCAN: ("an account with api true", lambda means: any(account.api for account in means.accounts)),
    Method.LINK: _OAUTH,
    Method.MINIPROGRAM: _app_of("miniprogram"),
    Method.PASSCODE: ("an account", lambda means: bool(means.accounts)),
    Method.WEBSITE: _app_of("website"),
    Method.H5: _OAUTH,
    Method.WECOM: _app_of("wecom"),
}
