"""Methods that show addresses of ours, which lead to WeChat's web authorization: see service/methods/visits.py."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models.scene import Scene, TicketHeader
from service.crypto.keyring import Capability, ClientKeys
from service.tickets.method import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMethod:
    """A method whose addresses follow from the ticket. They begin with the name of what they permit."""

    accounts: Container[str]
    """Those that have what it needs."""
    needs: str
    public_url: str
    shows: Mapping[str, Capability]
    """The capability in each field of Shown."""

    def can_use(self, account: str) -> bool:
        """Tell whether *account* can tell us who a browser's user is."""
        return account in self.accounts

    async def show(
        self,
        scene: Scene,
        keys: ClientKeys,
        *,
        account: str,
        lifetime: timedelta,  # noqa: ARG002 - of the interface
    ) -> Shown:
        """Return the addresses of a new ticket."""
        return self.shown(scene.head, keys, account=account, qr_url="")

    async def keeps(self, head: TicketHeader, keys: ClientKeys) -> bool:  # noqa: ARG002 - of the interface
        """Return True: nothing that is shown is in Redis."""
        return True

    def shown(
        self,
        head: TicketHeader,
        keys: ClientKeys,
        *,
        account: str,  # noqa: ARG002 - of the interface
        qr_url: str,  # noqa: ARG002 - of the interface
    ) -> Shown:
        """Return the addresses of a ticket."""
        addresses: dict[str, Any] = {
            field: f"{self.public_url}/{what}/{keys.capability(what, head.ticket)}"
            for field, what in self.shows.items()
        }
        return Shown(**addresses)
