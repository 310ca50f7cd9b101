"""WeChat's side of a service that may die: a push is sent up to three times, until it is answered with 200."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from statistics import median

from aiohttp import ClientError, ClientSession
from harness import ACCOUNT

from sandbox import pushes
from sandbox.codes import Code
from sandbox.envelope import Request, wrap
from sandbox.people import Contact
from sandbox.push_format import Fields
from sandbox.replies import Question, judge

TRIES = 3
ANSWER_WITHIN = 5.0
"""Seconds, as WeChat waits; the gap between two tries is shorter than WeChat's."""


@dataclass(slots=True)
class Push:
    """One push, and the reply that acknowledged it."""

    contact: Contact
    fields: Fields
    request: Request = field(init=False)
    acknowledged: bool = False
    reply: str | None = None
    losses: int = 0
    """How often Redis had been lost when the reply was given."""

    def __post_init__(self) -> None:
        self.sign()

    def sign(self) -> None:
        """Encrypt and sign the same content anew."""
        self.request = wrap(self.fields, ACCOUNT, now=time.time())


@dataclass(slots=True)
class Sender:
    """Makes pushes, sends them, and counts what was sent and answered so that a kill can be aimed."""

    http: ClientSession
    address: Callable[[], str]
    """The callback's address at this time: the service may have another after a restart."""
    sent: int = 0
    answered: int = 0
    losses: int = 0
    """How often Redis was lost, with the replies that it held."""
    _took: deque[float] = field(default_factory=lambda: deque([0.03], maxlen=20))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _message_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _created: dict[str, int] = field(default_factory=dict)

    @property
    def usual(self) -> float:
        """The seconds that an answer usually took of late."""
        return median(self._took)

    def scan(self, contact: Contact, code: Code) -> Push:
        """Scan a code, by which the person becomes a follower."""
        fields = pushes.scan(code) if contact.following else pushes.follow(code)
        contact.following = True
        return self._made(contact, fields)

    def text(self, contact: Contact, content: str) -> Push:
        return self._made(contact, pushes.text(content, msg_id=next(self._message_ids)))

    def _made(self, contact: Contact, fields: Fields) -> Push:
        # Two events of one person in one second would be one push and its redelivery.
        created = max(int(time.time()), self._created.get(contact.openid, 0) + 1)
        self._created[contact.openid] = created
        return Push(contact, pushes.addressed(fields, contact, ACCOUNT, now=created))

    async def deliver(self, push: Push, rng: Random) -> bool:
        """Send a push until it is acknowledged; False if WeChat gives up."""
        for left in reversed(range(TRIES)):
            if await self.send(push):
                return True
            if left:
                await asyncio.sleep(rng.uniform(0.3, 1.5))
                if rng.random() < 0.5:
                    push.sign()
        return False

    async def send(self, push: Push) -> bool:
        """Send a push once; return whether it was acknowledged. What was acknowledged gets the same again."""
        request, losses = push.request, self.losses
        repeats = push.acknowledged and push.losses == losses  # two at once may be handled side by side
        self.sent += 1
        self._changed.set()
        began = time.monotonic()
        try:
            async with (
                asyncio.timeout(ANSWER_WITHIN),
                self.http.post(
                    self.address(),
                    params=request.query,
                    data=request.body,
                    headers={"Content-Type": request.content_type},
                ) as response,
            ):
                body = await response.read()
        except (ClientError, TimeoutError, ConnectionError):
            return False
        self.answered += 1
        self._took.append(time.monotonic() - began)
        self._changed.set()
        if response.status == 503:
            return False
        assert response.status == 200, body
        reply = judge(body, to=Question(ACCOUNT, openid=push.contact.openid, nonce=request.nonce))
        if not push.acknowledged:
            push.acknowledged, push.reply, push.losses = True, reply, losses
        assert push.reply == reply or not repeats, f"{push.fields}: first {push.reply!r}, now {reply!r}"
        return True

    async def until(self, reached: Callable[[], bool], *, seconds: float) -> None:
        """Wait until *reached*, asked after each push and each answer; no longer than *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return
