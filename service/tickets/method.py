"""What a ticket needs of a way to sign in. The ways themselves are in service/methods/."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Protocol

from models.scene import Scene


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser shows for a ticket."""

    qr_url: str
    """The content of the QR code."""


class SignInMethod(Protocol):
    """A way to learn which person holds the phone."""

    needs: ClassVar[str]
    """What an account must have, for the answer to a caller who names one without it."""

    def can_use(self, account: str) -> bool:
        """Tell whether *account*, one of a client's, has what this method needs."""

    async def show(self, scene: Scene, *, account: str, lifetime: timedelta) -> Shown:
        """Return what the browser shows for *scene*, which names the ticket to this method.

        Raises:
            RateLimited: the day's quota for this purpose is used up.
            WeChatUnavailable: WeChat did not make what is shown.
            StoreUnavailable: Redis does not answer.
        """
