"""Which addresses of profile pictures are fetched, and where their hosts may resolve to (contract.md 8.5)."""

import re
from typing import Final

from yarl import URL

from models.ip_address import is_public

_WECHAT: Final = re.compile(r"(?:[a-z0-9-]+\.)+qlogo\.cn")


def allowed_address(address: str, *, api_base: str) -> URL | None:
    """Return the address to fetch a picture at, over https from WeChat's hosts; None if it must not be fetched.

    `api_base`: of the account, whose origin is allowed as well.
    """
    try:
        url, own = URL(address), URL(api_base).origin()
        if not url.absolute or url.scheme not in ("http", "https") or url.user or url.password:
            return None
        if url.origin() == own:
            return url
        is_wechats = url.is_default_port() and _WECHAT.fullmatch(url.raw_host or "")
        return url.with_port(None).with_scheme("https") if is_wechats else None
    except ValueError:  # what yarl raises for a text that is no address
        return None


def may_resolve_to(host: str, address: str) -> bool:
    """Return whether *host*, of an allowed address, may be at *address*: WeChat's hosts must be public.

    Other names are those of an `api_base`, which may be private.
    """
    return not _WECHAT.fullmatch(host) or is_public(address)
