"""Use case: answer a push that is not the service's own: by a target, a welcome, or the account's human agents.

Each push is passed on once. Redeliveries that arrive meanwhile wait for the same reply, in this process by sharing
the task, in others by asking Redis; later ones get it from the cache of replies.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from models.errors import StoreUnavailable
from models.events import Push, Revoked, Unsubscribed
from service.config.accounts import Account
from service.pushes.claims import PushClaims
from service.pushes.forwarding import PushForwarding
from service.pushes.reply_cache import Reply, ReplyCache
from service.wechat.forwarded_push import Heard, heard
from service.wechat.relayed_reply import TO_CUSTOMER_SERVICE

_FOR_THE_REST: Final = 0.25
"""Seconds, after the targets' time is up, to store and write the reply."""
_WITHOUT_REDIS: Final = 1.0
"""The same while Redis does not answer: each command waits for its timeout."""
_FOR_A_TARGET: Final = 2.0
"""Seconds that must be left to pass a push on whose claim has ended; else a redelivery does it, with more time."""
_ASK_AGAIN: Final = 0.1
"""Seconds between two looks for the reply of another process."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push as WeChat wrote it, decrypted, and when its reply must be written, in the event loop's time."""

    message: bytes
    until: float


@dataclass(slots=True, kw_only=True)
class OtherChat:
    """Replies to what people do in the chat that is not for this service."""

    accounts: Mapping[str, Account]
    forwarding: PushForwarding
    claims: PushClaims
    reply_cache: ReplyCache
    _under_way: "dict[tuple[str, str], asyncio.Task[Reply]]" = field(default_factory=dict, init=False)

    def configured(self, account: str) -> bool:
        """Return whether pushes of *account* that are not the service's own have an effect at all."""
        settings = self.accounts[account]
        return bool(settings.forward) or settings.otherwise != "silence"

    async def reply(self, account: str, push: Push, pushed: Pushed, *, text: str | None) -> Reply:
        """Pass *push* on; return a target's reply, else *text*, else what is configured for messages.

        Raises:
            StoreUnavailable: another process is still at it; a redelivery gets the reply.
        """
        said = heard(pushed.message)
        if not self.forwarding.wanted(account, said):
            return self._otherwise(account, said, text)
        key = account, f"{push.openid}:{push.key}"
        if (task := self._under_way.get(key)) is None:
            task = self._under_way[key] = asyncio.create_task(self._once(account, push, said, pushed, text))
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(task)

    def copy(self, account: str, push: Push, pushed: Pushed) -> None:
        """Pass on a push that the service has handled, to the targets that want copies, in the background."""
        said = heard(pushed.message)
        if self.forwarding.wanted_copies(account, said):
            self.forwarding.spawn(self._copy(account, push, said))

    async def _copy(self, account: str, push: Push, said: Heard) -> None:
        if await self.claims.take(account, push) is not False:
            self.forwarding.send(self.forwarding.wanted_copies(account, said), said)

    async def _once(self, account: str, push: Push, said: Heard, pushed: Pushed, text: str | None) -> Reply:
        claimed = await self.claims.take(account, push)
        until = pushed.until - (_WITHOUT_REDIS if claimed is None else _FOR_THE_REST)
        while claimed is False:
            if kept := await self.reply_cache.recall(account, push):
                return kept.reply
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                raise StoreUnavailable("another process has not finished passing the push on")
            await asyncio.sleep(_ASK_AGAIN)
            if left > _FOR_A_TARGET:
                claimed = await self.claims.take(account, push)
        lines = self.forwarding.wanted(account, said)
        if isinstance(push, Unsubscribed | Revoked):  # cannot be replied to
            self.forwarding.send(lines, said)
            return None
        relayed = await self.forwarding.first_reply(lines, said, to=push, until=until)
        return relayed or self._otherwise(account, said, text)

    def _otherwise(self, account: str, said: Heard, text: str | None) -> Reply:
        if text or not said.is_message or self.accounts[account].otherwise == "silence":
            return text
        return TO_CUSTOMER_SERVICE
