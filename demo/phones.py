"""Phone numbers, and the codes that prove them by SMS.

A code is kept in the session of the browser that asked for it: no other browser can use or guess it, and it ends
with that session. Times are in seconds of the clock that the shop is given.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import compare_digest, randbelow
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
LIFETIME: Final = 5 * MINUTE  # of a code
TRIES: Final = 5
PER_NUMBER, PER_ADDRESS, IN_ALL = 5, 20, 200  # SMS in an hour; each costs money
NUMBER: Final = re.compile(r"(?:(?:\+|00)?86)?(1[3-9][0-9]{9})")
TEXT: Final = {
    "en": "Example shop: your code is {code}. It is valid for 5 minutes. Tell it to no one.",
    "zh": "【示例商城】您的验证码是 {code}，5 分钟内有效，请勿告诉他人。",
}


def plain(text: str) -> str:
    """Return *text* with ordinary digits instead of full-width ones, and without spaces and hyphens."""
    return re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text))


def folded(text: str) -> str | None:
    """Return the eleven digits of a number of mainland China; None if it is none."""
    found = NUMBER.fullmatch(plain(text))
    return found[1] if found else None


def masked(number: str) -> str:
    return f"{number[:3]}****{number[-4:]}"


@dataclass(slots=True)
class Code:
    number: str
    digits: str
    ends_at: float
    tries: int = TRIES

    def usable(self, now: float) -> bool:
        return self.tries > 0 and now < self.ends_at

    def proves(self, typed: str, *, now: float) -> bool:
        """Return whether *typed* is the code; each call is a try, and only one is right."""
        if not self.usable(now):
            return False
        right = compare_digest(plain(typed).encode(), self.digits.encode())
        self.tries = 0 if right else self.tries - 1
        return right


@dataclass(slots=True)
class Codes:
    """Sends codes through an SMS gateway, within limits for a number, for an address and in all."""

    gateway: str
    clock: Callable[[], float]
    sent: list[tuple[float, str, str]] = field(default_factory=list)  # time, number, address; of the last hour

    def allow(self, number: str, address: str) -> bool:
        """Return whether one more may be sent, and count it."""
        now = self.clock()
        self.sent = [one for one in self.sent if now - one[0] < HOUR]
        to_number = [at for at, sent_to, _ in self.sent if sent_to == number]
        from_address = [at for at, _, asked_by in self.sent if asked_by == address]
        crowded = len(to_number) >= PER_NUMBER or len(from_address) >= PER_ADDRESS or len(self.sent) >= IN_ALL
        if crowded or any(now - at < MINUTE for at in to_number):
            return False
        self.sent.append((now, number, address))
        return True

    async def send(self, number: str, *, lang: str) -> Code | None:
        """Send a new code; None if the gateway fails."""
        code = Code(number, f"{randbelow(10**6):06}", self.clock() + LIFETIME)
        body = {"number": number, "text": TEXT[lang].format(code=code.digits)}
        try:
            async with ClientSession(timeout=ClientTimeout(10), raise_for_status=True) as http:
                await http.post(self.gateway, json=body, allow_redirects=False)
        except (ClientError, TimeoutError):
            return None
        return code
