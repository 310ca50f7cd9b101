"""Issues and checks access tokens (wechat-protocol.md 1). Time is an argument.

Classic and stable tokens are independent: issuing one never invalidates the other.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.account import MiniProgram, OfficialAccount
from sandbox.errors import Refused
from sandbox.quota import DAY, MINUTE, Quota

LIFETIME: Final = 7200
OVERLAP: Final = 300
"""Seconds that a superseded token stays valid, and the remaining lifetime below which a stable one is renewed."""
FORCE_PAUSE: Final = 30
FORCES_A_DAY: Final = 20
_SECRET: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Token:
    """An issued token; `usable_until` is earlier than `expires_at` once it is superseded."""

    value: str = field(repr=False)
    expires_at: float
    usable_until: float

    def supersede(self, *, overlap: float, now: float) -> None:
        self.usable_until = now + overlap


class TokenStore:
    """Issues and checks the tokens of one account or mini program."""

    def __init__(self, account: OfficialAccount | MiniProgram) -> None:
        self._account = account
        self._issued: dict[str, Token] = {}
        self._classic: Token | None = None
        self._stable: Token | None = None
        self._forced_at = float("-inf")
        self._classic_calls = Quota(2000)
        self._stable_calls = (Quota(10_000, period=MINUTE, errcode=45011), Quota(500_000))
        self._forces = Quota(FORCES_A_DAY)

    def classic(self, asked: Mapping[str, object], *, now: float) -> dict[str, object]:
        """Answer `GET /cgi-bin/token`: a new token each time; the old one stays valid for OVERLAP seconds."""
        self._check_asker(asked)
        self._classic_calls.use(now=now)
        if self._classic:
            self._classic.supersede(overlap=OVERLAP, now=now)
        self._classic = self._issue(now=now)
        return _answer(self._classic, now=now)

    def stable(self, asked: Mapping[str, object], *, now: float) -> dict[str, object]:
        """Answer `POST /cgi-bin/stable_token`: the same token until it has less than OVERLAP seconds left.

        `force_refresh` issues a new token and invalidates the old one at once, but only once per FORCE_PAUSE.
        """
        self._check_asker(asked)
        for quota in self._stable_calls:
            quota.use(now=now)
        if asked.get("force_refresh") is True and now - self._forced_at >= FORCE_PAUSE:
            self._forces.use(now=now)
            self._forced_at = now
            if self._stable:
                self._stable.supersede(overlap=0, now=now)
                self._stable = None
        if self._stable is None or self._stable.expires_at - now < OVERLAP:
            self._stable = self._issue(now=now)
        return _answer(self._stable, now=now)

    def is_issued(self, value: str) -> bool:
        """Return whether the token was issued to this account."""
        return value in self._issued

    def check(self, value: str, *, now: float) -> None:
        """Raise Refused unless the token is valid: 42001 when it has expired, 40001 when it was superseded."""
        token = self._issued[value]
        if now >= token.expires_at:
            raise Refused(42001)
        if now >= token.usable_until:
            raise Refused(40001)

    def _check_asker(self, asked: Mapping[str, object]) -> None:
        secret = asked.get("secret")
        faults = (
            (asked.get("grant_type") != "client_credential", 40002),
            (not asked.get("appid"), 41002),
            (not secret, 41004),
            (asked.get("appid") != self._account.appid, 40013),
            (not isinstance(secret, str) or not _SECRET.fullmatch(secret), 40125),
            (secret != self._account.secret, 40001),
        )
        for wrong, errcode in faults:
            if wrong:
                raise Refused(errcode)

    def _issue(self, *, now: float) -> Token:
        long_over = [value for value, old in self._issued.items() if now >= old.expires_at + DAY]
        for value in long_over:
            del self._issued[value]
        token = Token(secrets.token_urlsafe(102), now + LIFETIME, now + LIFETIME)
        self._issued[token.value] = token
        return token


def _answer(token: Token, *, now: float) -> dict[str, object]:
    return {"access_token": token.value, "expires_in": int(token.expires_at - now)}
