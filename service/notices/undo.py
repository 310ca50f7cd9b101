"""Use case: the holder of a WeChat undoes a bind by the address in its notice (docs/adr/0040)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.notice import UNDO_WITHIN, ForeignUndoError, UnusableUndoError, read_binding_name
from service.bindings.undoing import BindingUndo
from service.crypto.keyring import Capability, ClientKeys, Keyring


class UndoState(StrEnum):
    """What has become of the binding."""

    OPEN = "open"
    """It can be undone."""
    GONE = "gone"
    LATE = "late"
    """It stands, and cannot be undone any more."""


@dataclass(frozen=True, slots=True)
class UndoPage:
    """What the page of an address says."""

    client: str
    bound_at: datetime
    state: UndoState
    token: str
    """Proves that the form is this page's."""


@dataclass(slots=True, kw_only=True)
class Undo:
    """Shows and undoes binds. Both methods raise UnusableUndoError if the address is not genuine."""

    bindings: BindingUndo
    keyring: Keyring
    clock: Callable[[], datetime]

    async def show(self, given: str) -> UndoPage:
        """Return what an address undoes; changes nothing."""
        name, keys = self._permitted(given)
        follower, bound_at = read_binding_name(name)
        if not await self.bindings.stands(keys.client, follower, bound_at):
            state = UndoState.GONE
        else:
            state = UndoState.OPEN if self._in_time(bound_at) else UndoState.LATE
        return UndoPage(keys.client, bound_at, state, _token(keys, name))

    async def undo(self, given: str, *, token: str) -> None:
        """Remove the binding, unless it is too late or it is gone already.

        Raises:
            ForeignUndoError: *token* is not that of the page.
        """
        name, keys = self._permitted(given)
        if not keys.same(token, _token(keys, name)):
            raise ForeignUndoError
        follower, bound_at = read_binding_name(name)
        if self._in_time(bound_at):
            await self.bindings.undo(keys.client, follower, bound_at, now=self.clock())

    def _permitted(self, given: str) -> tuple[str, ClientKeys]:
        if (permitted := self.keyring.permitted(Capability.UNDO, given)) is None:
            raise UnusableUndoError
        return permitted

    def _in_time(self, bound_at: datetime) -> bool:
        return self.clock() < bound_at + UNDO_WITHIN


def _token(keys: ClientKeys, name: str) -> str:
    return keys.capability(Capability.UNDO_FORM, name)
