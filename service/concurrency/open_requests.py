"""Counts the requests that are being handled, so that what they use can be closed after them."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class OpenRequests:
    """Requests by identity: they need not be hashable."""

    _open: set[int] = field(default_factory=set, init=False)
    _none: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def enter(self, request: object) -> None:
        self._open.add(id(request))

    def leave(self, request: object) -> None:
        """Stop counting *request*, if it is counted."""
        self._open.discard(id(request))
        if not self._open:
            self._none.set()

    async def none_left(self) -> None:
        """Wait until no request is open. Requests must no longer begin."""
        while self._open:
            self._none.clear()
            await self._none.wait()
