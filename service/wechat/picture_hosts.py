"""Which addresses of profile pictures are fetched, and where their hosts may resolve to (contract.md 8.5)."""

import asyncio
import re
import socket
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from models.ip_address import is_public

LOOKUPS: Final = 2
"""How many names are looked up at once: a name server that hangs must leave threads to WeChat's API."""
_WECHAT: Final = re.compile(r"(?:[a-z0-9-]+\.)+qlogo\.cn")


class NotPublic(Exception):
    """A picture host of WeChat resolves to an address that is not on the Internet.

    No OSError, which aiohttp would replace by the one of an unknown name.
    """


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


class PublicResolver(AbstractResolver):
    """Resolves names with another resolver, and refuses those of WeChat's hosts that lead into a private network.

    aiohttp connects to the addresses that are returned, without a second look-up. Other names are those of an
    `api_base`, which may be private.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._slots = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raises NotPublic, and OSError when it has none."""
        await self._slots.acquire()
        look_up = asyncio.ensure_future(self._resolver.resolve(host, port, family))
        # Not when this is cancelled: the system's resolver keeps its thread until it has an answer.
        look_up.add_done_callback(lambda _: self._slots.release())
        found = await asyncio.shield(look_up)
        if _WECHAT.fullmatch(host) and not all(is_public(one["host"]) for one in found):
            raise NotPublic("an address of the host is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()
