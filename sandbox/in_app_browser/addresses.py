"""The addresses of pages that are open inside a person's WeChat. No I/O.

`/inside/{user}/{scheme}/{host}/{path}?{query}` stands for `{scheme}://{host}/{path}?{query}`; `host` includes the
port. Relative links lead to such addresses by themselves.
"""

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from yarl import URL

from sandbox.access import INSIDE

_FORM: Final = re.compile(rf"{INSIDE}(\w+)/(https?)/([^/?#@\\]+)([/?].*)?")


@dataclass(frozen=True, slots=True)
class Opened:
    """A page, and the id of the user in whose WeChat it is open."""

    user: str
    url: URL

    @classmethod
    def read(cls, address: str) -> Self | None:
        """Return what the path and query of an address of the sandbox stand for; None for other addresses."""
        found = _FORM.fullmatch(address)
        if found is None:
            return None
        url = URL(f"{found[2]}://{found[3]}{found[4] or ''}", encoded=True)
        try:
            return cls(found[1], url) if url.host else None
        except ValueError:  # such as a port out of range, which is read late
            return None

    @property
    def address(self) -> str:
        """The address in the sandbox, without a host."""
        fragment = f"#{self.url.raw_fragment}" if self.url.raw_fragment else ""
        return f"{self.host_address}{self.url.raw_path_qs}{fragment}"

    @property
    def host_address(self) -> str:
        """The beginning of the addresses of all pages of this host, without a slash at its end."""
        return f"{INSIDE}{self.user}/{self.url.scheme}/{self.url.raw_authority}"

    def redirected(self, location: str) -> Self:
        """Return the page that a `Location` of this page leads to; raise ValueError if it is none."""
        return replace(self, url=self.url.join(URL(location, encoded=location.isascii())))


def origin(url: URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port, to compare."""
    return url.scheme, (url.host or "").lower(), url.port
