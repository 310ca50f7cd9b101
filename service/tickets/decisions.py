"""Transactions that end a ticket (insert its ending, or return an earlier one) or use its code or registration.

A binding is committed in one transaction with the ending that made it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.audit import AuditEvent
from models.binding import AlreadyBound, Binding, BindResult, Bound, ChangeSource, Conflict, Policy, UserId
from models.events import OpenId
from models.method import Method
from models.scene import Claim
from models.ticket import Ending, Outcome, Purpose, Reason, Status, TicketId
from models.webhook import WebhookEvent
from service.audit.log import append_entry
from service.bindings.changes import changing, tell, write_changes
from service.bindings.rows import Changes
from service.bindings.rules import bind, logged_in, owner, resolve
from service.identities.followers import Arrival, Follower, Followers, Sender
from service.identities.repository import Identities, Identity
from service.storage.database import Database
from service.storage.group_commit import Work
from service.storage.inserting import TakenError, appending
from service.tickets.endings import Endings, append_ending, audit_entry, use_registration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BoundByRedirect:
    """A committed bind."""

    ending: Ending
    follower: Follower
    binding: Binding


@dataclass(slots=True)
class TicketDecisions:
    """Confirms, closes, redeems and registers, each in one transaction."""

    database: Database
    identities: Identities
    followers: Followers
    endings: Endings

    async def close(self, ending: Ending) -> Ending:
        """End a ticket without confirming it (rejected, cancelled); return the committed ending.

        That is *ending*, with times in whole milliseconds, or an earlier one. It does not contain the openid of a
        person who was erased.
        """

        def work(connection: sa.Connection) -> Ending:
            with appending(connection) as rows:
                return append_ending(rows, ending, self._find_person(connection, ending))

        return await self._decide(ending.ticket, work)

    async def confirm(
        self, claim: Claim, openid: OpenId, *, policy: Policy, state: str | None, now: datetime
    ) -> Ending | None:
        """Log in or bind, and end the ticket; return the committed ending.

        If that is an earlier one, nothing is changed. A bind that the client's policy forbids ends the ticket
        as rejected. None, with nothing changed, if the person unsubscribed and was erased.
        """

        def work(connection: sa.Connection, rows: Changes) -> Ending | None:
            person = self.identities.find(connection, claim.account, openid, hold=True)
            if person is None:
                return None
            return self._confirm(connection, claim, person, rows=rows, policy=policy, state=state, now=now)

        return await self._decide_late(claim.head.ticket, work)

    async def confirm_arrival(
        self, claim: Claim, arrival: Arrival, *, policy: Policy, state: str | None, now: datetime
    ) -> tuple[Ending, Follower]:
        """Store the person and `confirm` the ticket, in one transaction."""

        def confirm(
            connection: sa.Connection, rows: Changes, stored: tuple[Identity, Follower]
        ) -> tuple[Ending, Follower]:
            person, follower = stored
            ending = self._confirm(connection, claim, person, rows=rows, policy=policy, state=state, now=now)
            return ending, follower

        def work(connection: sa.Connection, rows: Changes) -> tuple[Ending, Follower]:
            return confirm(connection, rows, self.followers.store(connection, arrival, rows))

        def unread(connection: sa.Connection) -> tuple[Ending, Follower]:
            rows = Changes(late=True, alone=True)
            return confirm(connection, rows, self.followers.add_unread(arrival, rows))

        newcomer = isinstance(arrival, Sender) and arrival.followed and self.database.commits_single_statements
        decided = await self._decide_late(claim.head.ticket, work, unread=unread if newcomer else None)
        # With an earlier ending all was rolled back, and the person as well.
        return (decided, await self.followers.seen(arrival)) if isinstance(decided, Ending) else decided

    async def bind_by_redirect(
        self, claim: Claim, openid: OpenId, *, policy: Policy, state: str | None, now: datetime
    ) -> BoundByRedirect | Conflict | None:
        """Bind the person who came back, and end the ticket, in one transaction.

        None if it has ended already, or the person was erased. A Conflict ends nothing: the site may try again.
        """

        def work(connection: sa.Connection) -> BoundByRedirect | Conflict | None:
            identity = self.identities.find(connection, claim.account, openid, hold=True)
            if identity is None:
                return None
            identity = self.followers.join(connection, identity)
            ending = _confirmed(claim, identity, state=state, now=now)
            with changing(connection, self.identities, identity) as rows:
                result = _bind(connection, claim, identity, rows=rows, policy=policy, now=now)
                if isinstance(result, Conflict):
                    return result
                used = replace(_bound(ending, result), code_used_at=now)
                follower = Follower(claim.account, openid, identity.subscribed, identity.unionid)
                return BoundByRedirect(append_ending(rows, used, identity), follower, result.binding)

        try:
            return await self.database.once(work)
        except IntegrityError:
            if await self.endings.of(claim.head.ticket) is None:
                raise
            return None

    async def redeem(
        self, ticket: TicketId, *, answered_after: datetime, now: datetime
    ) -> tuple[Ending, Binding | None] | None:
        """Use up a ticket's login code; None if it has no unused code or was confirmed too long ago.

        A login also returns its binding. If that was removed since, the code is used up and None returned.
        """

        def work(connection: sa.Connection) -> tuple[Ending, Binding | None] | None:
            found = self.endings.use_code(connection, ticket, answered_after=answered_after, now=now)
            if found is None or found.person is None:
                return None
            binding = _note_login(connection, found.ending, found.person, now=now)
            if found.ending.outcome is Outcome.LOGIN and binding is None:
                return None
            with appending(connection) as rows:
                append_entry(rows, replace(audit_entry(found.ending), at=now, event=AuditEvent.EXCHANGED))
                if binding:
                    of = binding, found.person
                    tell(rows, self.identities, WebhookEvent.LOGIN_COMPLETED, of, ticket=ticket, at=now)
            return found.ending, binding

        return await self.database.once(work)

    async def register(
        self, ticket: TicketId, *, client: str, user_id: UserId, method: Method, policy: Policy, now: datetime
    ) -> BindResult | None:
        """Bind the WeChat of a redeemed registration to the user that the site signed up.

        A registration never moves a WeChat from another user (contract.md 1). A Conflict does not use it up. Once
        used, it returns AlreadyBound for the same user while the binding exists, else None.
        """

        def work(connection: sa.Connection) -> BindResult | None:
            found = self.endings.find(connection, ticket)
            if found is None or found.person is None:
                return None
            # Lock the person first, then the ending: an unsubscribe may erase them at the same time.
            account, openid = found.person.account, found.person.openid
            person = self.identities.find(connection, account, openid, hold=True)
            found = self.endings.find(connection, ticket, hold=True)
            if person is None or found is None or found.person is None or not _registers(found.ending, client):
                return None
            if found.ending.registered_to is not None:
                return _registered_again(connection, found.ending, person, user_id)
            person = self.followers.join(connection, person)
            with changing(connection, self.identities, person) as rows:
                result = bind(
                    connection,
                    person,
                    rows=rows,
                    client=client,
                    user_id=user_id,
                    policy=replace(policy, takeover_moves=False),
                    method=method,
                    source=ChangeSource.REGISTRATION,
                    now=now,
                )
            if not isinstance(result, Conflict):
                use_registration(connection, ticket, user_id)
                with appending(connection) as rows:
                    of = result.binding, person
                    tell(rows, self.identities, WebhookEvent.REGISTRATION_COMPLETED, of, ticket=ticket, at=now)
            return result

        return await self.database.once(work)

    async def _decide_late(
        self, ticket: TicketId, work: Callable[[sa.Connection, Changes], T], *, unread: Work[T] | None = None
    ) -> T | Ending:
        """Decide with rows that are written late; if a constraint forbids one, again from the start without.

        Most people and bindings are new. What stands in the way of the others is read in the second transaction.
        *unread* is tried before: it only writes, by a single statement.
        """
        if unread:
            with suppress(TakenError):
                return await self._decide(ticket, unread, single=True)
        try:
            return await self._decide(ticket, lambda connection: work(connection, Changes(late=True)))
        except TakenError:
            return await self._decide(ticket, lambda connection: work(connection, Changes()))

    async def _decide(self, ticket: TicketId, work: Work[T], *, single: bool = False) -> T | Ending:
        try:
            return await self.database.attempt(work, single=single)
        except IntegrityError:
            # The ticket has an ending already: the insert violated the primary key, so all is rolled back.
            if (standing := await self.endings.of(ticket)) is None:
                raise
            return standing

    def _find_person(self, connection: sa.Connection, ending: Ending) -> Identity | None:
        if ending.account is None or ending.openid is None:
            return None
        # Locked against erasure: the ending and its audit entry will contain the openid.
        return self.identities.find(connection, ending.account, ending.openid, hold=True)

    def _confirm(
        self,
        connection: sa.Connection,
        claim: Claim,
        person: Identity,
        *,
        rows: Changes,
        policy: Policy,
        state: str | None,
        now: datetime,
    ) -> Ending:
        """Log in or bind, and end the ticket, within the transaction that locks *person*; write *rows*.

        Raises:
            TakenError: as `AppendedRows.write`.
        """
        ending = _confirmed(claim, person, state=state, now=now)
        person = self.followers.join(connection, person)
        if claim.head.purpose is Purpose.LOGIN:
            method = claim.head.method
            known = resolve(connection, person, rows=rows, client=claim.client, method=method, now=now)
            ended = _logged_in(ending, known)
        else:
            ended = _bound(ending, _bind(connection, claim, person, rows=rows, policy=policy, now=now))
        kept = append_ending(rows, ended, person)
        write_changes(connection, self.identities, rows, person)
        return kept


def _confirmed(claim: Claim, person: Identity, *, state: str | None, now: datetime) -> Ending:
    return Ending(
        ticket=claim.head.ticket,
        client=claim.client,
        status=Status.CONFIRMED,
        answered_at=now,
        expires_at=claim.head.expires_at,
        account=claim.account,
        openid=person.openid,
        user_id=claim.user_id,
        via=claim.head.via,
        state=state,
    )


def _bind(
    connection: sa.Connection,
    claim: Claim,
    person: Identity,
    *,
    rows: Changes,
    policy: Policy,
    now: datetime,
) -> BindResult:
    if claim.user_id is None:
        raise ValueError("a bind claim without a user id")
    return bind(
        connection,
        person,
        rows=rows,
        client=claim.client,
        user_id=claim.user_id,
        policy=policy,
        method=claim.head.method,
        source=ChangeSource.TICKET,
        now=now,
    )


def _logged_in(ending: Ending, known: Binding | None) -> Ending:
    if known is None:
        return replace(ending, outcome=Outcome.REGISTER)
    return replace(ending, outcome=Outcome.LOGIN, user_id=known.user_id)


def _bound(ending: Ending, result: BindResult) -> Ending:
    match result:
        case Bound():
            return replace(ending, outcome=Outcome.BOUND)
        case AlreadyBound():
            return replace(ending, outcome=Outcome.ALREADY_BOUND)
        case Conflict(reason):
            return replace(ending, status=Status.REJECTED, reason=Reason(reason))


def _note_login(connection: sa.Connection, ending: Ending, person: Identity, *, now: datetime) -> Binding | None:
    if ending.user_id is None:  # a registration has no user yet
        return None
    return logged_in(connection, person, client=ending.client, user_id=UserId(ending.user_id), now=now)


def _registers(ending: Ending, client: str) -> bool:
    redeemed = ending.outcome is Outcome.REGISTER and ending.code_used_at is not None
    return redeemed and ending.client == client


def _registered_again(
    connection: sa.Connection, ending: Ending, person: Identity, user_id: UserId
) -> AlreadyBound | None:
    standing = owner(connection, person, client=ending.client)
    if standing is None or not user_id == standing.user_id == ending.registered_to:
        return None
    return AlreadyBound(standing)
