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
from sandbox.account_state import AccountState
from sandbox.chat import Message
from sandbox.codes import Code
from sandbox.customer_message_quota import Doing
from sandbox.errors import Impossible, Refused, Unknown
from sandbox.faults import FORGERIES, Fault
from sandbox.people import Contact, People, Person
from sandbox.push_delivery import Delivery
from sandbox.push_format import Fields
from sandbox.push_queue import PushQueue

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
        self.post = PushQueue(clock=clock, retry_interval=retry_interval, answer_within=answer_within)
        self._states = {account.appid: AccountState(account) for account in accounts}

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
        return [state.account for state in self._states.values()]

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every push there was, the oldest first."""
        return self.post.deliveries

    def state(self, account: str | None = None) -> AccountState:
        """Return what is kept for the account with this appid, the first when None; raise Unknown."""
        state = next(iter(self._states.values()), None) if account is None else self._states.get(account)
        if state is None:
            raise Unknown(f"no account {account!r}")
        return state

    def authorize(self, token: str | None) -> AccountState:
        """Return the account whose access_token this is; raise Refused (wechat-protocol.md 1)."""
        if not token:
            raise Refused(41001)
        state = next((state for state in self._states.values() if state.tokens.knows(token)), None)
        if state is None:
            raise Refused(40014)
        state.tokens.check(token, now=self.clock())
        return state

    def contact(self, user: Person | str, *, account: str | None = None) -> Contact:
        """Return how the user stands with the account."""
        return self.state(account).contact(self.people.get(user))

    def code(self, text: str, *, account: str | None = None) -> Code:
        """Return the code with this id, address, ticket or scene, of any account when none is named."""
        states: Iterable[AccountState] = self._states.values() if account is None else [self.state(account)]
        found = next((code for state in states if (code := state.codes.find(text))), None)
        if found is None:
            raise Unknown(f"no code {text[:128]!r}")
        return found

    def codes(self, *, account: str | None = None) -> list[Code]:
        """Return the codes that still work, the newest first."""
        states: Iterable[AccountState] = self._states.values() if account is None else [self.state(account)]
        shown = (code for state in states for code in state.codes.shown(now=self.clock()))
        return sorted(shown, key=lambda code: code.created_at, reverse=True)

    def point(self, callback_url: str, *, account: str | None = None) -> None:
        """Set where the account's pushes go from now on."""
        state = self.state(account)
        state.account = replace(state.account, callback_url=callback_url)

    async def verify(self, *, account: str | None = None) -> str | None:
        """Verify the callback address as the console does; return what is wrong, None when nothing."""
        return await self.post.courier.verify(self.state(account).account)

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
        fault: Fault | None = None,
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
        self._count(contact, "scan", fault)
        delivery = await self._push(contact, pushes.scan(read), fault=fault, wait=wait)
        return Scan("pushed", read, delivery)

    async def follow(
        self,
        user: Person | str,
        *,
        account: str | None = None,
        by_search: bool = False,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Follow the account: by the code scanned before, if there is one and it is not a find `by_search`.

        Without `account` it is that of the code waiting, else the first.
        """
        contact = self._waiting(user) if account is None else self.contact(user, account=account)
        if contact.following:
            raise Impossible("already a follower")
        code = None if by_search else contact.pending
        if fault not in FORGERIES:
            contact.following, contact.since, contact.pending = True, self.clock(), None
            contact.how = "ADD_SCENE_QR_CODE" if code else "ADD_SCENE_SEARCH"
            contact.scene = code.scene if code else ""
            self._count(contact, "follow", fault)
        return await self._push(contact, pushes.follow(code), fault=fault, wait=wait)

    def dismiss(self, user: Person | str, *, account: str | None = None) -> None:
        """Close the prompt to follow: the scanned code is forgotten."""
        contact = self._waiting(user) if account is None else self.contact(user, account=account)
        contact.pending = None

    async def unfollow(
        self,
        user: Person | str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Leave the account; nothing can be sent to the person any more."""
        contact = self._follower(user, account)
        if fault not in FORGERIES:
            contact.following = False
            contact.allowance.revoke()
        return await self._push(contact, pushes.unfollow(), fault=fault, wait=wait)

    async def say(
        self,
        user: Person | str,
        text: str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Type a message."""
        contact = self._follower(user, account)
        return await self._speak(contact, text, menu_id=None, fault=fault, wait=wait)

    async def tap(
        self,
        user: Person | str,
        link: str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Tap the newest link with this id (`message.piece`), content or label; it speaks for the person."""
        contact = self._follower(user, account)
        piece = contact.link(link)
        return await self._speak(contact, piece.says or "", menu_id=piece.menu_id, fault=fault, wait=wait)

    async def click(
        self, user: Person | str, key: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry of the account that has a key."""
        contact = self._follower(user, account)
        self._count(contact, "click", None)
        return await self._push(contact, pushes.click(_sayable(key)), fault=None, wait=wait)

    async def view(
        self, user: Person | str, url: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry of the account that opens a page."""
        contact = self._follower(user, account)
        return await self._push(contact, pushes.view(_sayable(url)), fault=None, wait=wait)

    async def noise(
        self, user: Person | str, kind: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Push what has nothing to do with any code: a key of `pushes.NOISE`."""
        contact = self.contact(user, account=account)
        if kind not in pushes.NOISE:
            raise Unknown(f"no noise {kind!r}")
        return await self._push(contact, pushes.NOISE[kind], fault=None, wait=wait)

    async def chat(self, user: Person | str, *, account: str | None = None) -> tuple[Message, ...]:
        """Return the chat of the user with the account, the oldest line first."""
        return tuple(self.contact(user, account=account).messages)

    # -- how it is pushed ---------------------------------------------------------------------------------------

    async def _speak(
        self, contact: Contact, text: str, *, menu_id: str | None, fault: Fault | None, wait: bool
    ) -> Delivery:
        content = _sayable(text)
        if fault not in FORGERIES:
            contact.write("person", content, now=self.clock())
        self._count(contact, "message", fault)
        fields = pushes.text(content, msg_id=self.post.message_id(), menu_id=menu_id)
        return await self._push(contact, fields, fault=fault, wait=wait)

    async def _push(self, contact: Contact, fields: Fields, *, fault: Fault | None, wait: bool) -> Delivery:
        account = self._states[contact.appid].account
        return await self.post.push(fields, to=account, about=contact, fault=fault, wait=wait)

    def _count(self, contact: Contact, doing: Doing, fault: Fault | None) -> None:
        if fault not in FORGERIES:
            contact.allowance.grant(doing, now=self.clock())

    def _follower(self, user: Person | str, account: str | None) -> Contact:
        contact = self.contact(user, account=account)
        if not contact.following:
            raise Impossible("not a follower of this account")
        return contact

    def _waiting(self, user: Person | str) -> Contact:
        contacts = [self.contact(user, account=appid) for appid in self._states]
        return next((contact for contact in contacts if contact.pending), self.contact(user))


def _sayable(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_TEXT or not _SAYABLE.fullmatch(text):
        raise Impossible(f"a text has 1 to {LONGEST_TEXT} characters, none of them a control character")
    return text
