"""What the holder of a WeChat is told in its chat about changes of their bindings (docs/adr/0040). Values only."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from models import base64url
from models.binding import Change, ChangeSource
from models.method import Method
from models.webhook import RemovalReason, WebhookEvent

UNDO_WITHIN: Final = timedelta(minutes=10)
"""How long after a bind its holder can undo it."""
KEPT: Final = timedelta(hours=48)
"""How long a notice waits to be sent: WeChat's longest window (docs/wechat-protocol.md 4)."""
EVENTS: Final = frozenset({WebhookEvent.BINDING_CREATED, WebhookEvent.BINDING_MOVED, WebhookEvent.BINDING_REMOVED})
_CHOSEN: Final = frozenset({ChangeSource.TICKET, ChangeSource.REGISTRATION})
_ANSWERED_IN_CHAT: Final = frozenset({Method.SCAN, Method.PASSCODE})
_NUMBER: Final = 6  # bytes


class Told(StrEnum):
    """What a notice tells."""

    BOUND = "bound"
    MOVED = "moved"
    BY_SITE = "by site"
    BY_USER = "by user"
    REPLACED = "replaced"

    @property
    def undoable(self) -> bool:
        return self in (Told.BOUND, Told.MOVED)


_REMOVED: Final[Mapping[RemovalReason, Told]] = {
    RemovalReason.SITE: Told.BY_SITE,
    RemovalReason.USER: Told.BY_USER,
    RemovalReason.REPLACED: Told.REPLACED,
}


class UnusableUndoError(Exception):
    """The address of an undo page is not genuine."""


class ForeignUndoError(Exception):
    """An undo was not sent by the form of its own page."""


def is_told(change: Change, source: ChangeSource, method: Method, *, moved: bool) -> bool:
    """Return whether the holder of a WeChat is told of a change of its binding.

    *moved*: it was bound to another user before. The reply to a bind that ended in the chat tells the bind alone.
    """
    match change:
        case Change.BOUND if moved:
            return True
        case Change.BOUND:
            return source in _CHOSEN and not (source is ChangeSource.TICKET and method in _ANSWERED_IN_CHAT)
        case Change.REPLACED:
            return source in _CHOSEN
        case Change.DISCONNECTED:
            return source in (ChangeSource.SITE, ChangeSource.PORTAL)
    return False


def told_by(event: WebhookEvent, reason: str | None) -> Told:
    """Return what the notice of an event tells."""
    if event is WebhookEvent.BINDING_REMOVED:
        return _REMOVED[RemovalReason(reason or "")]
    return Told.MOVED if event is WebhookEvent.BINDING_MOVED else Told.BOUND


def binding_name(follower: int, bound_at: datetime) -> str:
    """Return what addresses call a binding: 16 characters, for its identity and the millisecond of the bind."""
    moment = round(bound_at.timestamp() * 1000)
    return base64url.encode(follower.to_bytes(_NUMBER) + moment.to_bytes(_NUMBER))


def read_binding_name(name: str) -> tuple[int, datetime]:
    """Return the identity and the moment of a name that `binding_name` returned."""
    raw = base64url.decode(name)
    moment = timedelta(milliseconds=int.from_bytes(raw[_NUMBER:]))
    return int.from_bytes(raw[:_NUMBER]), datetime.fromtimestamp(0, UTC) + moment
