"""Sends pushes in background tasks and stores the latest deliveries."""

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Final

from aiohttp import ClientSession, DummyCookieJar

from sandbox import pushes
from sandbox.account import OfficialAccount
from sandbox.envelope import wrap
from sandbox.faults import Fault
from sandbox.people import Contact
from sandbox.push_delivery import Courier, Delivery
from sandbox.push_format import Fields

KEPT: Final = 500
"""How many deliveries are stored; the oldest are dropped first."""


class PushQueue:
    """Sends each push in its own task, and stores the latest deliveries."""

    def __init__(self, *, clock: Callable[[], float], retry_interval: float, answer_within: float) -> None:
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._clock = clock
        self._pace = {"retry_interval": retry_interval, "answer_within": answer_within}
        self._http: ClientSession | None = None
        self._courier: Courier | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._held: dict[str, list[Delivery]] = {}
        self._delivery_ids = itertools.count(1)
        self._msg_ids = itertools.count(secrets.randbits(62))

    def open(self) -> None:
        """Create the HTTP client; needs a running event loop."""
        # No cookies: a cookie of one account's service must not be sent to another's.
        self._http = ClientSession(cookie_jar=DummyCookieJar())
        self._courier = Courier(self._http, clock=self._clock, **self._pace)

    async def close(self) -> None:
        """Cancel the deliveries in progress; they end as `faulty`."""
        self._held.clear()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._http:
            await self._http.close()
        self._http = self._courier = None

    @property
    def courier(self) -> Courier:
        if self._courier is None:
            raise RuntimeError("enter the sandbox before using it: async with Sandbox(...)")
        return self._courier

    def message_id(self) -> int:
        """Return a new MsgId, an int64."""
        return next(self._msg_ids)

    async def push(
        self,
        fields: Fields,
        *,
        to: OfficialAccount,
        about: Contact,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Send a push to the account's service; with `wait`, return when it was answered or has failed.

        With Fault.OUT_OF_ORDER it is held back and returned at once. Raises Impossible when the account's mode
        does not allow the fault.
        """
        courier, now = self.courier, self._clock()
        addressed = pushes.addressed(fields, about, to, now=now)
        delivery = Delivery(
            id=next(self._delivery_ids),
            contact=about,
            account=to,
            fields=addressed,
            request=wrap(addressed, to, now=now, fault=fault),
            fault=fault,
        )
        self.deliveries.append(delivery)
        if fault is Fault.OUT_OF_ORDER:
            delivery.state = "held"
            self._held.setdefault(about.openid, []).append(delivery)
            return delivery
        self._start(self._carry(courier, delivery))
        return await delivery.finished() if wait else delivery

    async def _carry(self, courier: Courier, delivery: Delivery) -> None:
        try:
            await courier.carry(delivery)
        finally:
            if delivery.state == "waiting":  # cancelled: `finished()` must not block for ever
                delivery.finish("faulty")
        for held in self._held.pop(delivery.contact.openid, []):
            held.state = "waiting"
            self._start(self._carry(courier, held))

    def _start(self, carrying: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(carrying)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
