"""The sandbox: the actions of people in WeChat, and the pushes that they cause.

Two rules: a person can do only what WeChat allows, and a forged push, which WeChat never sends, changes no state.
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
from sandbox.codes import Code, own_code
from sandbox.customer_message_quota import Action
from sandbox.errors import Impossible, Refused, Unknown
from sandbox.faults import FORGERIES, Fault
from sandbox.migrations import Migrations
from sandbox.people import Contact, People, Person, newcomer
from sandbox.push_delivery import Delivery
from sandbox.push_format import Fields
from sandbox.push_queue import PushQueue
from sandbox.tokens import TokenStore
from sandbox.unionids import UnionIds, checked

LONGEST_TEXT: Final = 2048
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SAYABLE: Final = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""The characters that XML 1.0 allows."""


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of scanning a QR code."""

    outcome: Literal["pushed", "follow_first", "opened", "expired"]
    code: Code
    delivery: Delivery | None = None


class Sandbox:
    """An emulated WeChat with some accounts. Pushes need `async with`, whose end cancels those in progress.

    `user` is a Person or its id; `account` an appid (default: the first account). With `wait` (the default) a
    method returns when its push has been answered or has failed. All raise Unknown for what does not exist and
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
        """The base of the addresses in QR codes; may be set later, when the port is known."""
        self.clock = clock
        self.people = People()
        self.post = PushQueue(clock=clock, retry_interval=retry_interval, answer_within=answer_within)
        self.unionids = UnionIds()
        self.migrations = Migrations()
        self.app_tokens: dict[str, TokenStore] = {}
        """Of mini programs, by appid."""
        self._states = {account.appid: AccountState(account, self.unionids) for account in accounts}

    async def __aenter__(self) -> Self:
        self.post.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.post.close()

    # -- state --------------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> list[OfficialAccount]:
        return [state.account for state in self._states.values()]

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """The latest pushes, oldest first."""
        return self.post.deliveries

    def state(self, account: str | None = None) -> AccountState:
        """Return the state of the account with this appid, of the first when None; raise Unknown."""
        state = next(iter(self._states.values()), None) if account is None else self._states.get(account)
        if state is None:
            raise Unknown(f"no account {account!r}")
        return state

    def authorize(self, token: str | None) -> AccountState:
        """Return the state of the account with this access_token; raise Refused (wechat-protocol.md 1)."""
        if not token:
            raise Refused(41001)
        state = next((state for state in self._states.values() if state.tokens.is_issued(token)), None)
        if state is None:
            raise Refused(40014)
        state.tokens.check(token, now=self.clock())
        return state

    def contact(self, user: Person | str, *, account: str | None = None) -> Contact:
        """Return the user's contact with the account."""
        return self.state(account).contact(self.people.get(user))

    def code(self, text: str, *, account: str | None = None) -> Code:
        """Return the QR code with this id, address, ticket or scene, of any account when `account` is None."""
        states: Iterable[AccountState] = self._states.values() if account is None else [self.state(account)]
        found = next((code for state in states if (code := state.codes.find(text))), None)
        own = (self.own_code(account=official.appid) for official in self.accounts)
        found = found or next((code for code in own if text in (code.id, code.url)), None)
        if found is None:
            raise Unknown(f"no code {text[:128]!r}")
        return found

    def own_code(self, *, account: str | None = None) -> Code:
        """Return the account's own QR code."""
        return own_code(self.state(account).account, public_url=self.public_url)

    def codes(self, *, account: str | None = None) -> list[Code]:
        """Return the QR codes that have not expired, newest first, then the own codes of unverified accounts.

        These can make no others, so a site shows that one.
        """
        states = list(self._states.values()) if account is None else [self.state(account)]
        shown = [code for state in states for code in state.codes.shown(now=self.clock())]
        own = [self.own_code(account=state.account.appid) for state in states if not state.account.verified]
        return sorted(shown, key=lambda code: code.created_at, reverse=True) + own

    def point(self, callback_url: str, *, account: str | None = None) -> None:
        """Set the address that the account's pushes are sent to."""
        state = self.state(account)
        state.account = replace(state.account, callback_url=callback_url)

    async def verify(self, *, account: str | None = None) -> str | None:
        """Verify the callback address as the console does; return what is wrong, or None."""
        return await self.post.courier.verify(self.state(account).account)

    # -- the Open Platform --------------------------------------------------------------------------------------

    def bind_open_platform(self, open_platform: str, *, account: str | None = None) -> None:
        """Bind the account to this Open Platform account and to no other."""
        state = self.state(account)
        state.account = replace(state.account, open_platform=checked("open_platform", open_platform))

    def unbind_open_platform(self, *, account: str | None = None) -> None:
        """Bind the account to no Open Platform account."""
        state = self.state(account)
        state.account = replace(state.account, open_platform=None)

    def withhold_unionid(self, user: Person | str, *, account: str | None = None) -> None:
        """Answer `user/info` without the user's unionid, for all accounts bound to the same as this one."""
        self.unionids.withhold(self.people.get(user), self._open_platform(account))

    def disclose_unionid(self, user: Person | str, *, account: str | None = None) -> None:
        """End `withhold_unionid`."""
        self.unionids.disclose(self.people.get(user), self._open_platform(account))

    def change_unionid(self, user: Person | str, to: str | None = None, *, account: str | None = None) -> None:
        """Change the user's unionid in the account's Open Platform account, to a random one when `to` is None."""
        self.unionids.change(self.people.get(user), self._open_platform(account), to=to)

    def _open_platform(self, account: str | None) -> str:
        word = self.state(account).account.open_platform
        if word is None:
            raise Impossible("the account is bound to no Open Platform account: bind it with bind_open_platform")
        return word

    def migrate(self, former: str, *, account: str | None = None) -> int:
        """Migrate the account with the appid `former` to another; return how many followers it had."""
        return self.migrations.declare(self.state(former), self.state(account), now=self.clock())

    # -- actions of people --------------------------------------------------------------------------------------

    async def create_user(
        self, nickname: str, *, language: str = "zh_CN", unionid: str | None = None, account: str | None = None
    ) -> Person:
        """Create a WeChat user, who follows no account.

        A given `unionid` is theirs in the Open Platform account of `account`.
        """
        person = newcomer(_nickname(nickname), language=language)
        if unionid is not None:
            self.unionids.change(person, self._open_platform(account), to=unionid)
        self.people.add(person)
        return person

    def change_profile(self, user: Person | str, *, nickname: str | None = None, picture: bool = False) -> Person:
        """Change a user's nickname, and with `picture` their picture; what accounts know of them stays."""
        person = self.people.get(user)
        name = person.nickname if nickname is None else _nickname(nickname)
        changed = replace(person, nickname=name, picture=person.picture + picture)
        self.people.add(changed)
        return changed

    async def scan(
        self,
        user: Person | str,
        code: Code | str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Scan:
        """Scan a QR code, given as a Code or by its id, address, ticket or scene.

        The scan of a follower is pushed. Another user is asked to follow first; the push of `follow` then contains
        the scene. An expired QR code causes no push, and the account's own one opens its chat.
        """
        read = self.code(code, account=account) if isinstance(code, str) else code
        if read.expired(now=self.clock()):
            return Scan("expired", read)
        contact = self.contact(user, account=read.appid)
        if not contact.following:
            contact.pending = read
            return Scan("follow_first", read)
        if read.own:
            return Scan("opened", read)
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
        """Follow the account: by the QR code that was scanned, if there is one, unless `by_search`.

        Without `account`: the account of the scanned QR code, else the first.
        """
        contact = self._waiting(user) if account is None else self.contact(user, account=account)
        if contact.following:
            raise Impossible("the user follows this account already")
        scanned = None if by_search else contact.pending
        code = None if scanned is None or scanned.own else scanned
        if fault not in FORGERIES:
            contact.following, contact.since, contact.pending = True, self.clock(), None
            contact.how = "ADD_SCENE_QR_CODE" if scanned else "ADD_SCENE_SEARCH"
            contact.scene = code.scene if code else ""
            self._count(contact, "follow", fault)
        return await self._push(contact, pushes.follow(code), fault=fault, wait=wait)

    def dismiss(self, user: Person | str, *, account: str | None = None) -> None:
        """Dismiss the prompt to follow, and forget the scanned QR code."""
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
        """Unfollow the account, which can then send the person no more messages."""
        contact = self._follower(user, account)
        if fault not in FORGERIES:
            contact.following = False
            contact.allowance.revoke()
        return await self._push(contact, pushes.unfollow(), fault=fault, wait=wait)

    async def revoke(
        self,
        user: Person | str,
        event: str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Change what the account's web pages were authorised to see; *event* is one of pushes.REVOCATIONS."""
        if event not in pushes.REVOCATIONS:
            raise Impossible(f"event: must be one of {', '.join(pushes.REVOCATIONS)}")
        contact = self.contact(user, account=account)
        if event == pushes.CLOSED and fault not in FORGERIES:
            contact.following = False
            contact.allowance.revoke()
        return await self._push(contact, pushes.revocation(event, contact), fault=fault, wait=wait)

    async def say(
        self,
        user: Person | str,
        text: str,
        *,
        account: str | None = None,
        fault: Fault | None = None,
        wait: bool = True,
    ) -> Delivery:
        """Send a typed message."""
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
        """Tap the newest link with this id (`message.piece`), content or label, which sends a text."""
        contact = self._follower(user, account)
        piece = contact.link(link)
        return await self._speak(contact, piece.says or "", menu_id=piece.menu_id, fault=fault, wait=wait)

    async def click(
        self, user: Person | str, key: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry with a key."""
        contact = self._follower(user, account)
        self._count(contact, "click", None)
        return await self._push(contact, pushes.click(_sayable(key)), fault=None, wait=wait)

    async def view(
        self, user: Person | str, url: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Tap a menu entry with a link."""
        contact = self._follower(user, account)
        return await self._push(contact, pushes.view(_sayable(url)), fault=None, wait=wait)

    async def noise(
        self, user: Person | str, kind: str, *, account: str | None = None, wait: bool = True
    ) -> Delivery:
        """Send a push that is unrelated to QR codes; `kind` is a key of `pushes.NOISE`."""
        contact = self.contact(user, account=account)
        if kind not in pushes.NOISE:
            raise Unknown(f"no push of kind {kind!r}")
        return await self._push(contact, pushes.NOISE[kind], fault=None, wait=wait)

    async def chat(self, user: Person | str, *, account: str | None = None) -> tuple[Message, ...]:
        """Return the messages between the user and the account, oldest first."""
        return tuple(self.contact(user, account=account).messages)

    # -- pushes -------------------------------------------------------------------------------------------------

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

    def _count(self, contact: Contact, action: Action, fault: Fault | None) -> None:
        if fault not in FORGERIES:
            contact.allowance.grant(action, now=self.clock())

    def _follower(self, user: Person | str, account: str | None) -> Contact:
        contact = self.contact(user, account=account)
        if not contact.following:
            raise Impossible("the user does not follow this account")
        return contact

    def _waiting(self, user: Person | str) -> Contact:
        contacts = [self.contact(user, account=appid) for appid in self._states]
        return next((contact for contact in contacts if contact.pending), self.contact(user))


def _nickname(text: str) -> str:
    """Return *text*, which may have control characters as well, as nicknames of WeChat's have."""
    if not text.strip() or len(text) > LONGEST_TEXT or _SURROGATE.search(text):
        raise Impossible(f"a nickname must have 1 to {LONGEST_TEXT} characters and no lone surrogates")
    return text


def _sayable(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_TEXT or not _SAYABLE.fullmatch(text):
        raise Impossible(f"a text must have 1 to {LONGEST_TEXT} characters and no control characters")
    return text
