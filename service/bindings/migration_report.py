"""What `scanbind bindings migrate` prints: a line for each identity that is left, a summary, and refusals."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from models.errors import WeChatUnavailable
from models.events import OpenId, shortened
from service.bindings.identity_migration import Clash
from service.identities.repository import Identity

FORMER_UNKNOWN: Final = 63178

# By errcode (wechat-protocol.md 1, 8).
_REFUSALS: Final = {
    40001: "correct accounts.{account}.secret: it does not belong to this appid",
    40013: "correct accounts.{account}.appid: WeChat knows no such appid",
    40125: "correct accounts.{account}.secret: it does not belong to this appid",
    40164: "add this machine's address to the IP whitelist in WeChat's console, or set accounts.{account}.proxy",
    45009: "the day's calls are used up: run the command again after midnight in Beijing",
    45011: "too many calls in a minute: run the command again",
    48001: "accounts.{account} has no permission for this call",
    FORMER_UNKNOWN: (
        "WeChat knows no migration to accounts.{account} from {former} or the former appid: correct --from; "
        "15 days after a migration WeChat forgets the new openids"
    ),
}


@dataclass(slots=True, kw_only=True)
class MigrationReport:
    """Prints lines and counts identities."""

    write: Callable[[str], None]
    dry_run: bool
    migrated: int = 0
    united: int = 0
    unknown: int = 0
    clashing: int = 0
    unreadable: int = 0

    @property
    def left(self) -> bool:
        """Whether something was left that the operator can put right."""
        return bool(self.clashing or self.unreadable)

    def note_migrated(self, *, united: bool) -> None:
        self.migrated += 1
        self.united += united

    def note_unknown(self, identity: Identity) -> None:
        self.unknown += 1
        self.write(f"{_name(identity)}: left: unknown to WeChat, as of a person who did not follow the account")

    def note_clashes(self, identity: Identity, openid: OpenId, clashes: Sequence[Clash]) -> None:
        self.clashing += 1
        self.write(f"{_name(identity)}: left: {'; '.join(_clash(it, openid) for it in clashes)}")

    def note_unreadable(self, account: str, number: int) -> None:
        self.unreadable += 1
        self.write(f"{account}, row {number}: left: none of encryption.keys decrypts it")

    def finish(self) -> None:
        """Print the summary."""
        total = self.migrated + self.unknown + self.clashing + self.unreadable
        counts = [
            f"{self.migrated:,} {'would be ' if self.dry_run else ''}migrated",
            f"{self.united:,} of them united with an identity of the new account",
            f"{self.unknown:,} unknown to WeChat",
            f"{self.clashing:,} bound to two users",
        ]
        counts += [f"{self.unreadable:,} not decrypted"] if self.unreadable else []
        self.write(f"{total:,} identities of the former account: {', '.join(counts)}")


def stopped(refusal: WeChatUnavailable, account: str, *, former: str, api_base: str) -> WeChatUnavailable:
    """Return the error that tells the operator what to do about a failed call."""
    code = refusal.errcode
    if code is None:
        why = f"WeChat does not answer: check that {api_base} is reachable, and run the command again"
    elif code in _REFUSALS:
        why = f"{_REFUSALS[code].format(account=account, former=former)} (errcode {code})"
    else:
        why = f"{refusal.detail}: errcode {code}"
    return WeChatUnavailable(why, errcode=code)


def _name(identity: Identity) -> str:
    return f"{identity.account}, {shortened(identity.openid)}"


def _clash(it: Clash, openid: OpenId) -> str:
    user = f"at {it.client} this person is user {json.dumps(it.user_id, ensure_ascii=False)}"
    if it.other_user is None:
        return f"{user}, who has another WeChat in the new account"
    return f"{user} and, as {shortened(openid)}, user {json.dumps(it.other_user, ensure_ascii=False)}"
