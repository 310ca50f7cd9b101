"""What WeChat stores for one account: access tokens, QR codes and followers."""

from collections.abc import Iterator

from sandbox.account import OfficialAccount
from sandbox.codes import CodeBook
from sandbox.errors import Refused
from sandbox.faults import MessageFault
from sandbox.people import Contact, Person
from sandbox.quota import MONTH, Quota
from sandbox.tokens import TokenStore
from sandbox.unionids import UnionIds


class AccountState:
    """The state of one account in the emulated WeChat."""

    def __init__(self, account: OfficialAccount, unionids: UnionIds) -> None:
        self.account = account
        self.tokens = TokenStore(account)
        self.codes = CodeBook(account)
        self.lag = 0.0
        """Seconds in which `user/info` does not know a new follower yet (wechat-protocol.md 4)."""
        self.message_fault: MessageFault | None = None
        """What happens to customer messages."""
        self._unionids = unionids
        self._clearings = Quota(10, period=MONTH, errcode=48006)
        self._contacts: dict[str, Contact] = {}

    def clear_quota(self, appid: object, *, now: float) -> None:
        """Answer `clear_quota`; raise Refused 40013 for another appid, 48006 after ten times in a month."""
        if appid != self.account.appid:
            raise Refused(40013)
        self._clearings.use(now=now)
        self.codes.clear_quota()

    def contact(self, person: Person) -> Contact:
        """Return the person's contact with this account; a new one does not follow it."""
        openid = person.openid(self.account.appid)
        return self._contacts.setdefault(openid, Contact(person, self.account.appid, openid))

    def followers(self) -> Iterator[Contact]:
        return (contact for contact in self._contacts.values() if contact.following)

    def by_openid(self, openid: object) -> Contact:
        """Return the contact with this openid; raise Refused 40003 when there is none."""
        contact = self._contacts.get(openid) if isinstance(openid, str) else None
        if contact is None:
            raise Refused(40003)
        return contact

    def unionid(self, person: Person) -> str | None:
        """Return the person's unionid as this account is told it; None when it is told none."""
        return self._unionids.of(person, self.account.open_platform)

    def user_info(self, openid: object, *, now: float) -> dict[str, object]:
        """Answer `user/info`: no nickname or photo, and little about a non-follower (wechat-protocol.md 4)."""
        contact = self.by_openid(openid)
        if not contact.following or now < contact.since + self.lag:
            return {"subscribe": 0, "openid": contact.openid, "tagid_list": []}
        unionid = self.unionid(contact.person)
        return {
            "subscribe": 1,
            "openid": contact.openid,
            "nickname": "",
            "sex": 0,
            "language": contact.person.language,
            "subscribe_time": int(contact.since),
            **({"unionid": unionid} if unionid else {}),
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": contact.how,
            "qr_scene": int(contact.scene) if contact.scene.isascii() and contact.scene.isdigit() else 0,
            "qr_scene_str": contact.scene,
        }
