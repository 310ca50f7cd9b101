"""Passcodes: shown by pages, and sent to an account's chat in place of a scan (contract.md 8.4).

No call to WeChat is made, so they work for accounts without API permissions. What people send is read by
service/methods/passcode_reader.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

import sqlalchemy as sa

from models.passcode import grouped
from models.scene import Scene, TicketHeader, read
from models.tables.tickets import passcodes
from service.config.accounts import Account
from service.config.clients import Client
from service.crypto.keyring import ClientKeys, Keyring
from service.storage.database import Database
from service.storage.inserting import insert_unless_taken
from service.storage.purge import purge
from service.tickets.method import Passcode, Shown, Taken

PICTURES: Final = "/v1/accounts/{name}/picture"
"""Where the QR code of an account is served."""
_IT: Final = passcodes.c


@dataclass(slots=True, kw_only=True)
class PasscodeIndex:
    """The tickets of passcodes, in SQL under keyed hashes. All methods raise StoreUnavailable.

    During a rotation of secret_key a passcode is stored under the hash of each key: processes with the old one
    alone find it, and give it to no other ticket.
    """

    database: Database
    keyring: Keyring

    async def claim(self, account: str, code: str, head: TicketHeader) -> bool:
        """Store the ticket of a new passcode; False if a ticket that is not purged yet has it."""
        rows = [
            {"lookup": lookup, "ticket": head.ticket, "expires_at": head.expires_at}
            for lookup in self.keyring.passcode_lookups(account, code)
        ]

        def work(connection: sa.Connection) -> bool:
            with connection.begin_nested() as point:
                if all(insert_unless_taken(connection, passcodes, row) is not None for row in rows):
                    return True
                point.rollback()
            return False

        return await self.database.attempt(work)

    async def find(self, account: str, code: str) -> Scene | None:
        """Return the ticket of a passcode, which may be over; None if there is none."""
        query = sa.select(_IT.ticket).where(_IT.lookup.in_(self.keyring.passcode_lookups(account, code)))
        ticket = await self.database.read(lambda connection: connection.scalar(query.limit(1)))
        return read(ticket) if ticket else None

    async def purge(self, before: datetime) -> int:
        """Delete the passcodes of tickets that expired before that; return how many rows."""
        return await purge(self.database, _IT.lookup, before, when=_IT.expires_at)


@dataclass(slots=True, kw_only=True)
class PasscodeMethod:
    """Shows the passcode of a ticket, and where to send it. It is derived from the ticket."""

    index: PasscodeIndex
    accounts: Mapping[str, Account]
    clients: Mapping[str, Client]
    needs: ClassVar[str] = "chat"

    def can_use(self, account: str) -> bool:
        """Tell whether *account* is an Official Account, and so has a chat."""
        return account in self.accounts

    async def show(
        self,
        scene: Scene,
        keys: ClientKeys,
        *,
        account: str,
        lifetime: timedelta,  # noqa: ARG002 - of the interface
    ) -> Shown:
        """Return the passcode of a new ticket.

        Raises: as `SignInMethod.show`.
        """
        if not await self.index.claim(account, keys.passcode(scene.head.ticket), scene.head):
            raise Taken
        return self.shown(scene.head, keys, account=account, qr_url="")

    async def keeps(self, head: TicketHeader, keys: ClientKeys) -> bool:  # noqa: ARG002 - of the interface
        """Return True: nothing that is shown is in Redis."""
        return True

    def shown(
        self,
        head: TicketHeader,
        keys: ClientKeys,
        *,
        account: str,
        qr_url: str,  # noqa: ARG002 - of the interface
    ) -> Shown:
        """Return the passcode of a ticket."""
        to, lang = self.accounts[account], head.lang or self.clients[keys.client].lang
        return Shown(
            passcode=Passcode(
                code=grouped(keys.passcode(head.ticket)),
                account=to.name.get(lang, account),
                picture=PICTURES.format(name=account) if to.picture else "",
            )
        )
