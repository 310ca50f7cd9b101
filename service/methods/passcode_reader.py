"""Use case: read the passcodes that people send to a chat. The right one stands for a scan (contract.md 8.4).

Everything is said in the reply to a push, as accounts without API permissions can say nothing later.
"""

from collections.abc import Collection
from dataclasses import dataclass

from models.events import OpenId, TextMessage
from models.language import Lang
from models.passcode import read_passcode
from models.scene import Scene
from service.audit.log import AuditLog
from service.confirmation import messages
from service.confirmation.scan import Handled, KnownState, ScanHandler
from service.confirmation.scan_context import SceneVerifier
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Sender
from service.methods.passcodes import PasscodeIndex
from service.observability.metrics import Metrics
from service.rate_limiting.passcode_tries import PasscodeTries
from service.rate_limiting.rates import Excess
from service.tickets.status import TicketStatus


@dataclass(slots=True, kw_only=True)
class PasscodeReader:
    """Reads passcodes in the texts that people send; the right one stands for a scan of its ticket."""

    index: PasscodeIndex
    tries: PasscodeTries
    verifier: SceneVerifier
    ticket_status: TicketStatus
    scans: ScanHandler
    listening: Collection[str]
    """The accounts to whose chats passcodes are sent."""
    follower_refresh: FollowerRefresh
    audit: AuditLog
    metrics: Metrics

    def reads(self, account: str, text: str) -> bool:
        """Return whether *text* has the form of a passcode, sent to an account that takes them."""
        return account in self.listening and read_passcode(text) is not None

    async def sent(self, account: str, message: TextMessage) -> Handled:
        """Handle a text that has the form of a passcode.

        After too many wrong ones there is no reply. An unknown passcode, one that is over and one that another
        person sent before get the same reply, and count alike.

        Raises:
            StoreUnavailable: it could not be counted, or its effect could not be committed.
        """
        if excess := await self.tries.take(account, message.openid):
            self._note(excess, account, message.openid)
            return Handled(None)
        sender, wrong = Sender.of(account, message), None
        try:
            scene = await self._find(sender, message.text)
            if scene is None:
                wrong = messages.unusable_passcode(await self.follower_refresh.store(sender))
                return Handled(wrong)
        finally:
            if not wrong:  # right, or WeChat delivers it again because a store did not answer
                await self.tries.give_back(account, message.openid)
        return await self.scans.scanned(sender, scene, KnownState(*await self.scans.known(sender, scene)))

    def invitation(self, account: str, lang: Lang | None) -> str | None:
        """Return what is said to a person who follows *account* without a scan; None if it takes no passcodes."""
        return messages.send_passcode(lang) if account in self.listening else None

    async def _find(self, sender: Sender, text: str) -> Scene | None:
        """Return the ticket of a passcode, if it waits for this person or for any."""
        scene = await self.index.find(sender.account, read_passcode(text) or "")
        if scene is None or await self.verifier.claim(scene, account=sender.account) is None:
            return None
        ticket = await self.ticket_status.read_afresh(scene.head)
        return None if ticket.status.final or ticket.openid not in (None, sender.openid) else scene

    def _note(self, excess: Excess, account: str, openid: OpenId) -> None:
        self.metrics.limited.labels(excess.limit).inc()
        self.audit.limit_hit(excess.limit, account=account, openid=openid)
