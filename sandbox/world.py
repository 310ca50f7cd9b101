"""The sandbox itself: what people do with their phones, and the pushes that follow from it.

Two rules: only what WeChat lets a person do happens; a forged push is nobody's doing, so it changes nothing here.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Literal, Self

from sandbox import pushes
from sandbox.account import OfficialAccount
from sandbox.allowance import Doing
from sandbox.chat import Message
from sandbox.codes import Code
from sandbox.delivery import Delivery
from sandbox.desk import Desk
from sandbox.errors import Impossible, Refused, Unknown
from sandbox.mischief import FORGERIES, Mischief
from sandbox.people import Contact, People, Person
from sandbox.postroom import Postroom
from sandbox.wire import Fields

LONGEST_TEXT: Final = 2048
_SAYABLE: Final = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""What XML 1.0 can carry."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What the phone shows after the camera read a code."""

    outcome: Literal["pushed", "follow_first", "expired"]
    code: Code
    delivery: Delivery | None = None


class Sandbox:
    """A WeChat with some accounts. Enter it (`async with`) before anything is pushed; leaving ends all pushes.

    `user` is a Person or its id; `account` an appid, the first account when not given. With `wait` (the default) a
    method returns when its push has been answered or given up. All raise Unknown for what is not there and
    Impossible for what WeChat does not allow.
    """

    def __init__(
        self,
        accounts: Sequence[OfficialAccount],
        *,
        public_url: str,
        clock: Callable[[], float] = time.time,
        retry_interval: float = 5.0,
        answer_within: float = 5.0,
    ) -> None:
        self.public_url = public_url
        """Where codes lead; may be set once the address is known."""
        self.clock = clock
        self.people = People()
        self.post = Postroom(clock=clock, retry_interval=retry_interval, answer_within=answer_within)
        self._desks = {account.appid: Desk(account) for account in accounts}

    async def __aenter__(self) -> Self:
        self.post.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.post.close()

    # -- what there is ------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> list[OfficialAccount]:
        return [desk.account for desk in self._desks.values()]

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every push there was, the oldest first."""
        return self.post.deliveries

    def desk(self, account: str | None = None) -> Desk:
        """Return the desk of the account with this appid, the first when None; raise Unknown."""
        desk = next(iter(self._desks.values()), None) if account is None else self._desks.get(account)
        if desk is None:
            raise Unknown(f"no account {account!r}")
        return desk

    def authorize(self, token: str | None) -> Desk:
        """Return the desk whose access_token this is; raise Refused (PROTOCOL.md 1)."""
        if not token:
            raise Refused(41001)
        desk = next((desk for desk in self._desks.values() if desk.tokens.knows(token)), None)
        if desk is None:
            raise Refused(40014)
        desk.tokens.check(token, now=self.clock())
        return desk

    def contact(self, user: Person | str, *, account: str | None = None) -> Contact:
        """Return how the user stands with the account."""
        return self.desk(account).contact(self.people.get(user))

    def code(self, text: str, *, account: str | None = None) -> Code:
        """Return the code with this id, address, ticket or scene, of any account when none is named."""
        desks: Iterable[Desk] = self._desks.values() if account is None else [self.desk(account)]
        found = next((code for desk in desks if (code := desk.codes.find(text))), None)
        if found is None:
            raise Unknown(f"no code {text[:128]!r}")
        return found

    def codes(self, *, account: str | None = None) -> list[Code]:
        """Return the codes that still work, the newest first."""
        desks: Iterable[Desk] = self._desks.values() if account is None else [self.desk(account)]
        shown = (code for desk in desks for code in desk.codes.shown(now=self.clock()))
        return sorted(shown, key=lambda code: code.created_at, reverse=True)

    def point(self, callback_url: str, *, account: str | None = None) -> None:
        """Set where the account's pushes go from now on."""
        desk = self.desk(account)
        desk.account = replace(desk.account, callback_url=callback_url)

    async def verify(self, *, account: str | None = None) -> str | None:
        """Verify the callback address as the console does; return what is wrong, None when nothing."""
        return await self.post.courier.verify(self.desk(account).account)

    # -- what people do -----------------------------------------------------------------------------------------

    async def create_user(self, nickname: str, *, language: str = "zh_CN", unionid: str | None = None) -> Person:
        """Make somebody with WeChat, who follows nobody yet."""
        return self.people.add(_sayable(nickname), language=language, unionid=unionid)

    async def scan(
        self,
        user: Person | str,
        code: Code | str,
        *,
        account: str | None = None,
        mischief: Mischief | None = None,
        wait: bool = True,
    ) -> Scan:
        """Point the camera at a code, given as such or by its id, address, ticket or scene.

        A follower's scan is pushed. Anyone else is asked to follow first: `follow` then carries the scene. A code
        past its time pushes nothing.
        """
        read = self.code(code, account=account) if isinstance(code, str) else code
        if read.expired(now=self.clock()):
            return Scan("expired", read)
        contact = self.contact(user, account=read.appid)
        if not contact.following:
            contact.pending = read
            return Scan("follow_first", read)
        self._count(contact, "scan", mischief)
        delivery = await self._push(contact, pushes.scan(read), mischief=mischief, wait=wait)
        return Scan("pushed", read, delivery)

    async def follow(
        self,
        user: Person | str,
        *,
        account: str | None = None,
        by_search: bool = False,
        mischief: Mischief | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Follow the account: by the code scanned before, if there is one and it is not a find `by_search`.

        Without `account` it is that of the code waiting, else the first.
        """
        contact = self._waiting(user) if account is None else self.contact(user, account=account)
        if contact.following:
            raise Impossible("already a follower")
        code = None if by_search else contact.pending
        if mischief not in FORGERIES:
            contact.following, contact.since, contact.pending = True, self.clock(), None
            contact.how = "ADD_SCENE_QR_CODE" if code else "ADD_SCENE_SEARCH"
            contact.scene = code.scene if code else ""
            self._count(contact, "follow", mischief)
        return await self._push(contact, pushes.follow(code), mischief=mischief, wait=wait)

    def dismiss(self, user: Person | str, *, account: str | None = None) -> None:
        """Close the prompt to follow: the scanned code is forgotten."""
        contact = self._waiting(user) if account is None else self.contact(user, account=account)
        contact.pending = None

    async def unfollow(
        self,
        user: Person | str,
        *,
        account: str | None = None,
        mischief: Mischief | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Leave the account; nothing can be sent to the person any more."""
        contact = self._follower(user, account)
        if mischief not in FORGERIES:
            contact.following = False
            contact.allowance.revoke()
        return await self._push(contact, pushes.unfollow(), mischief=mischief, wait=wait)

    async def say(
        self,
        user: Person | str,
        text: str,
        *,
        account: str | None = None,
        mischief: Mischief | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Type a message."""
        contact = self._follower(user, account)
        return await self._speak(contact, text, menu_id=None, mischief=mischief, wait=wait)

    async def tap(
        self,
        user: Person | str,
        link: str,
        *,
        account: str | None = None,
        mischief: Mischief | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Tap the newest link with this id (`message.piece`), content or label; it speaks for the person."""
        contact = self._follower(user, account)
        piece = contact.link(link)
        return await self._speak(contact, piece.says or "", menu_id=piece.menu_id, mischief=mischief, wait=wait)

    async def click(
        self, user: Person | str, key: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry of the account that has a key."""
        contact = self._follower(user, account)
        self._count(contact, "click", None)
        return await self._push(contact, pushes.click(_sayable(key)), mischief=None, wait=wait)

    async def view(
        self, user: Person | str, url: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry of the account that opens a page."""
        contact = self._follower(user, account)
        return await self._push(contact, pushes.view(_sayable(url)), mischief=None, wait=wait)

    async def noise(
        self, user: Person | str, kind: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Push what has nothing to do with any code: a key of `pushes.NOISE`."""
        contact = self.contact(user, account=account)
        if kind not in pushes.NOISE:
            raise Unknown(f"no noise {kind!r}")
        return await self._push(contact, pushes.NOISE[kind], mischief=None, wait=wait)

    async def chat(self, user: Person | str, *, account: str | None = None) -> tuple[Message, ...]:
        """Return the chat of the user with the account, the oldest line first."""
        return tuple(self.contact(user, account=account).messages)

    # -- how it is pushed ---------------------------------------------------------------------------------------

    async def _speak(
        self, contact: Contact, text: str, *, menu_id: str | None, mischief: Mischief | None, wait: bool
    ) -> Delivery:
        content = _sayable(text)
        if mischief not in FORGERIES:
            contact.write("person", content, now=self.clock())
        self._count(contact, "message", mischief)
        fields = pushes.text(content, msg_id=self.post.message_id(), menu_id=menu_id)
        return await self._push(contact, fields, mischief=mischief, wait=wait)

    async def _push(self, contact: Contact, fields: Fields, *, mischief: Mischief | None, wait: bool) -> Delivery:
        account = self._desks[contact.appid].account
        return await self.post.push(fields, to=account, about=contact, mischief=mischief, wait=wait)

    def _count(self, contact: Contact, doing: Doing, mischief: Mischief | None) -> None:
        if mischief not in FORGERIES:
            contact.allowance.grant(doing, now=self.clock())

    def _follower(self, user: Person | str, account: str | None) -> Contact:
        contact = self.contact(user, account=account)
        if not contact.following:
            raise Impossible("not a follower of this account")
        return contact

    def _waiting(self, user: Person | str) -> Contact:
        contacts = [self.contact(user, account=appid) for appid in self._desks]
        return next((contact for contact in contacts if contact.pending), self.contact(user))


def _sayable(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_TEXT or not _SAYABLE.fullmatch(text):
        raise Impossible(f"a text has 1 to {LONGEST_TEXT} characters, none of them a control character")
    return text
