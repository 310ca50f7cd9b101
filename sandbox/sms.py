"""An SMS gateway: sites send messages to phone numbers, and the phone page shows them.

The number need not belong to a person here: the messages of any number are listed.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from sandbox.access import SMS
from sandbox.control_requests import Ask, Malformed, endpoint
from sandbox.serializers import Json
from sandbox.wechat_api import SANDBOX

KEPT: Final = 200
_NUMBER: Final = re.compile(r"1[3-9][0-9]{9}")
_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,500}")
"""A gateway sends at most 500 characters as one long message."""


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    at: float
    number: str
    text: str


@dataclass(slots=True)
class SmsGateway:
    """The newest messages to all numbers; times are seconds since 1970."""

    clock: Callable[[], float]
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT))
    _sent: int = 0

    def send(self, number: str, text: str) -> Message:
        self._sent += 1
        message = Message(self._sent, self.clock(), number, text)
        self.messages.append(message)
        return message

    def to(self, number: str | None) -> list[Message]:
        """Return the messages to the number, to all when it is None; newest first."""
        return [one for one in reversed(self.messages) if number in (None, one.number)]


GATEWAY: Final = web.AppKey("sms", SmsGateway)


def _matching(name: str, value: str, form: re.Pattern[str], rule: str) -> str:
    if not form.fullmatch(value):
        raise Malformed(f"{name}: must be {rule}")
    return value


async def _send(gateway: SmsGateway, ask: Ask) -> Json:
    """POST {"number","text"} -> the message."""
    number = _matching("number", ask.text("number"), _NUMBER, "a mobile number of mainland China, 11 digits")
    text = _matching("text", ask.text("text"), _TEXT, "1 to 500 characters without control characters")
    return _shown(gateway.send(number, text))


async def _list(gateway: SmsGateway, ask: Ask) -> Json:
    """GET [?number=] -> {"messages":[...]}: newest first."""
    return {"messages": [_shown(message) for message in gateway.to(ask.maybe("number"))]}


def _shown(message: Message) -> Json:
    return {"id": message.id, "at": message.at, "number": message.number, "text": message.text}


def add_routes(app: web.Application) -> None:
    """Add the gateway at SMS."""
    app[GATEWAY] = SmsGateway(app[SANDBOX].clock)
    app.router.add_get(SMS, endpoint(GATEWAY, _list))
    app.router.add_post(SMS, endpoint(GATEWAY, _send))
