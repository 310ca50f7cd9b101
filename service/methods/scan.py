"""Sign in by scanning an Official Account's QR code. WeChat's signed push of the scan names the person.

Pushes reach the ticket through service/pushes/ and service/confirmation/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from models.scene import Scene, TicketHeader
from service.crypto.keyring import ClientKeys
from service.rate_limiting.qr_quota import QrQuota
from service.tickets.method import Shown
from service.wechat.api import WeChatApi


@dataclass(slots=True, kw_only=True)
class ScanMethod:
    """Requests QR codes from WeChat, within the daily quota of each account."""

    apis: Mapping[str, WeChatApi]
    """Of the accounts that have one."""
    quota: QrQuota
    needs: ClassVar[str] = "API permissions"

    def can_use(self, account: str) -> bool:
        """Tell whether *account* has API permissions, and so can make QR codes."""
        return account in self.apis

    async def show(
        self,
        scene: Scene,
        keys: ClientKeys,  # noqa: ARG002 - of the interface
        *,
        account: str,
        lifetime: timedelta,
    ) -> Shown:
        """Return a new temporary QR code whose scene is *scene* (wechat-protocol.md 2).

        Raises: as `SignInMethod.show`.
        """
        async with self.quota.code(account, scene.head.purpose):
            code = await self.apis[account].create_qr(scene.text, lifetime=lifetime)
        return Shown(code.url)

    async def keeps(self, head: TicketHeader, keys: ClientKeys) -> bool:  # noqa: ARG002 - of the interface
        """Return True: nothing that is shown is in Redis."""
        return True

    def shown(
        self,
        head: TicketHeader,  # noqa: ARG002 - of the interface
        keys: ClientKeys,  # noqa: ARG002 - of the interface
        *,
        account: str,  # noqa: ARG002 - of the interface
        qr_url: str,
    ) -> Shown:
        """Return the QR code that was stored."""
        return Shown(qr_url)
