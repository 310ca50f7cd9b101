"""A call that came sealed, as the request that the other endpoints take."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from handlers.http.operation import JSON, Operation, operation_of
from service.observability.logs import REQUEST_ID

_KEPT: Final = ("Host", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto")
"""Headers that say how the caller reached the service. All others belong to the sealed call alone."""


class InnerRequest(web.Request):
    """A request within another one, on the same connection and with the same request id."""

    def __init__(self, outer: web.Request, method: str, url: URL, body: Mapping[str, Any]) -> None:
        kept = [(name, value) for name in _KEPT for value in outer.headers.getall(name, ())]
        own = [("Content-Type", JSON), ("X-Request-Id", REQUEST_ID.get() or "")]
        headers = CIMultiDictProxy(CIMultiDict([*kept, *own]))
        message = RawRequestMessage(
            method=method,
            path=str(url),
            version=outer.version,
            headers=headers,
            raw_headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            should_close=False,
            compression=None,
            upgrade=False,
            chunked=False,
            url=url,
        )
        loop = asyncio.get_running_loop()
        # As short as it came, or a body within the limit could be too long here.
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        payload = StreamReader(outer.protocol, len(content), loop=loop)  # never pauses the outer connection
        payload.feed_data(content)
        payload.feed_eof()
        super().__init__(
            message,
            payload,
            outer.protocol,
            outer.writer,
            outer.task,
            loop,
            client_max_size=outer.client_max_size,
        )

    async def route(self, app: web.Application) -> Operation | None:
        """Find the endpoint and return it; None if it is none of the service's operations.

        Raises:
            HTTPNotFound, HTTPMethodNotAllowed: no endpoint has this address, or this method.
        """
        found = self._match_info = await app.router.resolve(self)
        found.add_app(app)
        found.freeze()
        if found.http_exception is not None:
            raise found.http_exception
        return operation_of(self)
