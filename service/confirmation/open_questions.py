"""Open questions per person, in Redis. Only the newest scan's question can be answered (docs/adr/0004)."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from models.events import OpenId, pseudonym
from models.language import Lang
from service.storage.compare_and_swap import CasStore

_REMEMBERED: Final = 4
_KEPT: Final = 64
"""Scans kept per person: an export or erasure finds the person's tickets through them."""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question: its scene, the time of the scan, its language, and the push that answered it."""

    scene: str
    created: int
    """The scan's CreateTime, whole seconds."""
    lang: Lang | None = None
    """Answers to it and hints are in this language, though WeChat may report another meanwhile."""
    answered_by: str | None = None
    """Key of the last push that answered it: a redelivery of it, which has the same key, answers no other one."""


class OpenQuestions:
    """Stores, per account and openid, the open question followed by older ones.

    The numbers of the older ones are not answers to the open one.
    """

    def __init__(self, redis: "Redis | RedisCluster") -> None:
        self._cas = CasStore(redis)

    async def of(self, account: str, openid: OpenId) -> list[OpenQuestion]:
        """Return the person's last few questions, newest first.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return (await self.kept(account, openid))[:_REMEMBERED]

    async def kept(self, account: str, openid: OpenId) -> list[OpenQuestion]:
        """Return all stored scans of the person, newest first.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        return _decode(await self._cas.load(_key(account, openid)))

    async def open(
        self,
        account: str,
        openid: OpenId,
        asked: OpenQuestion,
        *,
        until: datetime,
        known: list[OpenQuestion] | None = None,
    ) -> bool:
        """Make *asked* the open question; False if a newer scan of this person already is.

        *known* is what `kept` returned before, which saves reading it again. Two scans may share a second
        (wechat-protocol.md 3.4): then the one that arrives later counts as newer.
        """

        def move(held: str) -> str:
            known = _decode(held)
            if known and known[0].created > asked.created:
                return held
            earlier = next((one for one in known if one.scene == asked.scene), asked)
            others = [one for one in known if one is not earlier]
            return _encode([replace(asked, answered_by=earlier.answered_by), *others[: _KEPT - 1]])

        expected = None if known is None else _encode(known)
        changed = await self._cas.change(_key(account, openid), move, until=until, expected=expected)
        return _decode(changed)[0].scene == asked.scene

    async def answered(self, account: str, openid: OpenId, scene: str, *, by: str, until: datetime) -> None:
        """Store which push answered the question of *scene*, even if another has been opened meanwhile.

        Call this before committing its effect.
        """

        def move(held: str) -> str:
            known = _decode(held)
            return _encode([replace(one, answered_by=by) if one.scene == scene else one for one in known])

        await self._cas.change(_key(account, openid), move, until=until)


def _key(account: str, openid: OpenId) -> str:
    return f"scanbind:q:{{{account}:{pseudonym(openid)}}}"


def _encode(asked: list[OpenQuestion]) -> str:
    """Encode the questions; none is an empty text, as Redis stores none."""
    fields = [{name: getattr(one, name) for name in OpenQuestion.__slots__} for one in asked]
    return json.dumps(fields, separators=(",", ":")) if asked else ""


def _decode(held: str) -> list[OpenQuestion]:
    return [_question(one) for one in json.loads(held)] if held else []


def _question(fields: dict[str, Any]) -> OpenQuestion:
    lang = fields.get("lang")
    return OpenQuestion(**{**fields, "lang": Lang(lang) if lang else None})
