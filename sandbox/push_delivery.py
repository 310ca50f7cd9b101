"""Delivers a push to the service: up to three identical attempts, each with a timeout (wechat-protocol.md 3.4)."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from sandbox.account import OfficialAccount
from sandbox.chat import FAULT
from sandbox.crypto import sign
from sandbox.envelope import Request
from sandbox.errors import Impossible
from sandbox.faults import FORGERIES, Fault
from sandbox.people import Contact
from sandbox.push_format import Fields, write
from sandbox.replies import BadReply, Question, judge

DELIVERIES: Final = 3
LONGEST_ANSWER: Final = 64 * 1024
_log = logging.getLogger(__name__)

State = Literal["held", "waiting", "answered", "faulty", "refused"]
"""`faulty`: the chat shows the fault text. `refused`: the service rejected a forged push, as it should."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a push, and the answer."""

    at: float
    status: int | None
    """HTTP status; None without an answer."""
    body: str
    reply: str | None
    """The text that WeChat would show in the chat."""
    flaw: str | None
    """What is wrong with the answer, or None."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One push, its attempts and its result."""

    id: int
    contact: Contact
    account: OfficialAccount
    fields: Fields
    request: Request
    fault: Fault | None = None
    state: State = "waiting"
    attempts: list[Attempt] = field(default_factory=list)
    _done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def event(self) -> str:
        """`SCAN`, `subscribe`, ...; for a message its MsgType."""
        return str(self.fields.get("Event", self.fields["MsgType"]))

    @property
    def reply(self) -> str | None:
        """The reply of the service; None when there is none that WeChat accepts."""
        return next((a.reply for a in self.attempts if a.flaw is None), None)

    @property
    def flaw(self) -> str | None:
        """Why WeChat did not accept the last answer; None when it did."""
        return self.attempts[-1].flaw if self.attempts and self.state != "answered" else None

    @property
    def sent(self) -> str:
        """The push before encryption."""
        return write(self.fields, self.account.format).decode()

    def finish(self, state: State) -> None:
        self.state = state
        self._done.set()

    async def finished(self) -> "Delivery":
        """Wait for the result, and return the delivery; raise Impossible when the push is held back."""
        if self.state == "held":
            raise Impossible("this push is held until the next one is delivered")
        await self._done.wait()
        return self


class Courier:
    """Posts pushes to the callback address of the account and writes the replies to the chat."""

    def __init__(
        self, http: ClientSession, *, clock: Callable[[], float], retry_interval: float, answer_within: float
    ) -> None:
        self._http = http
        self._clock = clock
        self._interval = retry_interval
        self._timeout = ClientTimeout(total=answer_within)

    async def carry(self, delivery: Delivery) -> None:
        """Deliver until answered, at most three times; then write the reply, or the fault text, to the chat."""
        if delivery.fault in FORGERIES:
            await self._forge(delivery)
            return
        if delivery.fault is Fault.LATE:
            await asyncio.sleep(2 * self._interval)
        if delivery.fault is Fault.AT_ONCE:
            delivery.attempts += await asyncio.gather(self._post(delivery), self._post(delivery))
        else:
            await self._deliver(delivery)
        if delivery.fault is Fault.TWICE:
            delivery.attempts.append(await self._post(delivery))
        self._show(delivery)

    async def verify(self, account: OfficialAccount) -> str | None:
        """Verify the callback address; return what is wrong, or None.

        The console does the same when a callback address is saved (wechat-protocol.md 3.1).
        """
        echo, nonce = (str(secrets.randbelow(10**15)) for _ in range(2))
        stamp = str(int(self._clock()))
        query = {
            "signature": sign(account.token, stamp, nonce),
            "timestamp": stamp,
            "nonce": nonce,
            "echostr": echo,
        }
        try:
            async with self._http.get(
                account.callback_url, params=query, timeout=self._timeout, allow_redirects=False
            ) as answer:
                body = await _read(answer)
        except (TimeoutError, ClientError, OSError, ValueError) as e:
            return f"no answer: {type(e).__name__}"
        return None if answer.status == 200 and body == echo.encode() else "the answer is not the echostr"

    async def _deliver(self, delivery: Delivery) -> None:
        loop = asyncio.get_running_loop()
        for number in range(1, DELIVERIES + 1):
            started = loop.time()
            attempt = await self._post(delivery)
            delivery.attempts.append(attempt)
            # WeChat retries without an answer and on HTTP errors, but not after an invalid reply with status 200.
            if attempt.status == 200 or number == DELIVERIES:
                return
            await asyncio.sleep(max(0.0, started + self._interval - loop.time()))

    async def _forge(self, delivery: Delivery) -> None:
        attempt = await self._post(delivery)
        delivery.attempts.append(attempt)
        delivery.finish("answered" if attempt.status == 200 else "refused")

    def _show(self, delivery: Delivery) -> None:
        contact, good = delivery.contact, any(attempt.flaw is None for attempt in delivery.attempts)
        shown = delivery.reply if good else FAULT
        if shown is not None and contact.following:
            contact.write("account" if good else "wechat", shown, now=self._clock())
        delivery.finish("answered" if good else "faulty")
        if not good:
            _log.warning(
                "push %d (%s): invalid answer from the service: %s", delivery.id, delivery.event, delivery.flaw
            )

    async def _post(self, delivery: Delivery) -> Attempt:
        at, request = self._clock(), delivery.request
        try:
            async with self._http.post(
                delivery.account.callback_url,
                params=request.query,
                data=request.body,
                headers={"Content-Type": request.content_type},
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                status = answer.status
                body = await _read(answer)
        except TimeoutError:
            return Attempt(at, None, "", None, "no answer in time")
        except (ClientError, OSError, ValueError) as e:
            return Attempt(at, None, "", None, f"no answer: {type(e).__name__}")
        return _judged(delivery, at=at, status=status, body=body)


async def _read(answer: ClientResponse) -> bytes:
    """Return the body up to one byte more than WeChat accepts, which is enough to detect that it is too long."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > LONGEST_ANSWER:
            break
    return bytes(body[: LONGEST_ANSWER + 1])


def _judged(delivery: Delivery, *, at: float, status: int, body: bytes) -> Attempt:
    text = body.decode(errors="replace")
    if status != 200:
        return Attempt(at, status, text, None, f"HTTP {status}")
    if len(body) > LONGEST_ANSWER:
        return Attempt(at, status, text[:200], None, "longer than 64 KiB")
    asked = Question(
        delivery.account,
        openid=delivery.contact.openid,
        nonce=delivery.request.nonce,
        answerable=delivery.event != "unsubscribe",
    )
    try:
        return Attempt(at, status, text, judge(body, to=asked), None)
    except BadReply as e:
        return Attempt(at, status, text, None, str(e))
