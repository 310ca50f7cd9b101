"""Reads the ETags that callers send back, which proxies may have changed on the way.

A proxy that compresses an answer marks its ETag: `W/"tag"`, `"tag-gzip"`, `"tag;br"`. Not every proxy removes the
mark from the next request. If such a tag matched nothing, a long poll would become a loop of requests.
"""

import re
from typing import Final

from aiohttp import web

from handlers.http.responses import listed

_TAG: Final = re.compile(r'"([0-9A-Za-z]*+)[^"]*+"')
"""A quoted tag. Our tags consist of letters and digits, so what follows the first other character is a proxy's."""


def known_tags(request: web.BaseRequest, *, current: str | None) -> frozenset[str]:
    """Return the tags in `If-None-Match` as the service made them, without quotes; `*` stands for *current*.

    A mark of a proxy is left out. The tag itself must be whole, so the tag of another state never matches.
    """
    line = listed(request, "If-None-Match")
    if line.strip() == "*":
        return frozenset() if current is None else frozenset((current,))
    return frozenset(_TAG.findall(line))
