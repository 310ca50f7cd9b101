"""What a ticket needs of a way to sign in. The ways themselves are in service/methods/."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from models.scene import Scene, TicketHeader
from service.crypto.keyring import ClientKeys


class Taken(Exception):
    """Another live ticket shows the same: make this one again."""


@dataclass(frozen=True, slots=True)
class Passcode:
    """A code to send to an account's chat, in two groups, and how people find the account."""

    code: str
    account: str
    """Its name for people."""
    picture: str
    """The path of its own QR code; an empty string if it has none."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser shows for a ticket: a code, or the way to WeChat."""

    qr_url: str = ""
    """The content of the QR code."""
    authorize_url: str = ""
    """Where the browser goes."""
    panel_url: str = ""
    """The same for a frame, if the method has one."""
    picture: str = ""
    """The path of the code as a picture, if WeChat draws it."""
    open_url: str = ""
    """What opens the code's page on the phone that shows it, if the method has such an address."""
    passcode: Passcode | None = None


class SignInMethod(Protocol):
    """A way to learn which person holds the phone."""

    @property
    def needs(self) -> str:
        """What an account or app must have, for the answer to a caller who names one without it."""

    def can_use(self, account: str) -> bool:
        """Tell whether *account*, the name of a client's account or app, has what this method needs."""

    async def show(self, scene: Scene, keys: ClientKeys, *, account: str, lifetime: timedelta) -> Shown:
        """Return what the browser shows for *scene*, which names the ticket to this method.

        Raises:
            RateLimited: the day's quota for this purpose is used up.
            Taken: what would be shown belongs to another ticket.
            WeChatUnavailable: WeChat did not make what is shown.
            StoreUnavailable: Redis does not answer.
        """

    async def keeps(self, head: TicketHeader, keys: ClientKeys) -> bool:
        """Tell whether all of what `shown` returns can still be had.

        Raises:
            StoreUnavailable: Redis does not answer.
        """

    def shown(self, head: TicketHeader, keys: ClientKeys, *, account: str, qr_url: str) -> Shown:
        """Return again what the browser shows for a ticket; *qr_url* is its QR code as stored with it."""
