"""Makes a page work at its address in the sandbox: its links, forms and content security policy. No I/O.

Only attributes of HTML are rewritten, by expressions. Addresses that scripts or style sheets contain are not.
"""

import re
from typing import Final

from sandbox.access import INSIDE
from sandbox.in_app_browser.addresses import Opened

_LINKS: Final = rb"href|src|action|formaction"
_FROM_ROOT: Final = re.compile(rb"(\s(?:%s)\s*=\s*[\"'])(?=/(?!/))" % _LINKS, re.IGNORECASE)
# Scripts read data attributes: an address in one must lead to the same place as a link.
_ABSOLUTE: Final = re.compile(
    rb"(\s(?:%s|data-[\w-]+)\s*=\s*[\"'])(?:(https?):)?//([^/?#\"'\s]+)(/?)" % _LINKS, re.IGNORECASE
)
_TARGET: Final = re.compile(rb"\starget\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_META_POLICY: Final = re.compile(
    rb"(<meta\s[^>]*http-equiv\s*=\s*[\"']?Content-Security-Policy[\"']?\s[^>]*content\s*=\s*\")([^\"]*)",
    re.IGNORECASE,
)
_DROPPED: Final = ("frame-ancestors", "report-uri", "report-to", "upgrade-insecure-requests")
"""WeChat shows the page in no frame; nothing is reported of the sandbox's address; the sandbox has no https."""


def page(html: bytes, opened: Opened) -> bytes:
    """Return the page with links that stay in the browser, all in the same window."""
    host, user, scheme = opened.host_address.encode(), opened.user.encode(), opened.url.scheme.encode()

    def inside(found: re.Match[bytes]) -> bytes:
        parts = (found[1] + INSIDE.encode() + user, (found[2] or scheme).lower(), found[3], b"")
        return b"/".join(parts)

    html = _FROM_ROOT.sub(lambda found: found[1] + host, html)
    html = _ABSOLUTE.sub(inside, html)
    html = _TARGET.sub(b"", html)
    return _META_POLICY.sub(lambda found: found[1] + policy(found[2].decode("latin-1")).encode("latin-1"), html)


def policy(text: str) -> str:
    """Return a content security policy for a page whose hosts have all become the sandbox's."""
    directives = (directive.split() for directive in text.split(";"))
    return "; ".join(_directive(*words) for words in directives if words and words[0].lower() not in _DROPPED)


def _directive(name: str, *values: str) -> str:
    if "-src" in name.lower() or name.lower() in ("form-action", "base-uri"):
        values = tuple(dict.fromkeys("'self'" if _is_host(value) else value for value in values))
    return " ".join((name, *values))


def _is_host(source: str) -> bool:
    """Return whether it is no keyword, such as 'none', no scheme, such as data:, and no wildcard."""
    return not source.startswith("'") and not source.endswith(":") and source != "*"
