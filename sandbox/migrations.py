"""Migrations of one Official Account to another, and what `changeopenid` tells (wechat-protocol.md 8). No I/O."""

from dataclasses import dataclass
from typing import Final

from sandbox.account import OfficialAccount
from sandbox.account_state import AccountState
from sandbox.errors import Impossible, Refused
from sandbox.quota import DAY, Quota

WINDOW: Final = 15 * DAY
"""How long `changeopenid` answers after a migration, in seconds."""
MOST: Final = 100
"""Openids in one call."""
HOW: Final = "ADD_SCENE_ACCOUNT_MIGRATION"


@dataclass(frozen=True, slots=True)
class _Migration:
    former: OfficialAccount
    at: float
    openids: dict[str, str]
    """The new openid of each person who followed the former account, by the former one."""


class Migrations:
    """What each account took over, by its appid."""

    def __init__(self) -> None:
        self._to: dict[str, _Migration] = {}
        self._calls: dict[str, Quota] = {}

    def declare(self, former: AccountState, new: AccountState, *, now: float) -> int:
        """Let the followers of *former* follow *new* instead; return how many. Raises Impossible."""
        if former is new:
            raise Impossible("from: must be another account than the new one")
        openids: dict[str, str] = {}
        for left in former.followers():
            contact = new.contact(left.person)
            if not contact.following:
                contact.following, contact.since, contact.how = True, now, HOW
            left.following = False
            left.allowance.revoke()
            openids[left.openid] = contact.openid
        self._to[new.account.appid] = _Migration(former.account, now, openids)
        return len(openids)

    def translate(self, account: OfficialAccount, asked: dict[str, object], *, now: float) -> list[dict[str, str]]:
        """Answer `changeopenid` of the new *account*; raise Refused."""
        quota = self._calls.setdefault(account.appid, Quota(account.daily_openid_changes))
        quota.use(now=now)
        openids, migration = asked.get("openid_list"), self._to.get(account.appid)
        if not isinstance(openids, list) or not all(isinstance(it, str) for it in openids):
            raise Refused(47001)
        if len(openids) > MOST:
            raise Refused(40003)
        if migration is None or now >= migration.at + WINDOW:
            raise Refused(63178)
        if asked.get("from_appid") != getattr(migration.former, account.former_named_by):
            raise Refused(63178)
        return [_result(it, migration.openids.get(it)) for it in openids]


def _result(former: str, new: str | None) -> dict[str, str]:
    if new is None:
        return {"ori_openid": former, "err_msg": "ori_openid error"}
    return {"ori_openid": former, "new_openid": new, "err_msg": "ok"}
