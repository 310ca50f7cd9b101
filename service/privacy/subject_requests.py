"""Handles privacy requests: export and erasure of the data of a person or user (`scanbind privacy`)."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.binding import ChangeSource, UserId
from models.errors import StoreUnavailable
from models.events import OpenId, shortened
from models.wecom import forms_of, of_member
from service.audit.log import write_entries
from service.config.apps import WeCom
from service.config.settings import ConfigError, Settings
from service.confirmation.open_questions import OpenQuestions
from service.identities import reencryption
from service.identities.departures import Departures
from service.identities.repository import Identities
from service.outbox.subscriptions import build_outbox
from service.privacy.erasure import Erased, forget_person, forget_user
from service.privacy.export import disclose, held, persons, plain
from service.privacy.redis_erasure import RedisErasure
from service.storage.database import Database
from service.storage.stores import open_stores
from service.tickets.store import TicketStore

_SECONDS: Final = 120.0
"""Timeout for searching Redis."""
_SETTLE: Final = 1.5
"""Seconds between the two passes: a running service completes the writes that it began before the first."""
_WHY: Final = {
    "followers": "bound to another user as well",
    "history": "changes of a user's bindings, without the WeChat",
    "endings": "how tickets ended, without the person or user; until they are purged",
    "outbox": "events for webhooks, without the person or user; until those pending are delivered",
    "audit": "audit entries, without the person or user",
}
_NOTE: Final = (
    "Backups and logs are not changed. Erase again after restoring a backup. Logs contain no openids or user ids."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a request: an openid (or userid) in one account or in all, or a user of a client."""

    openid: OpenId | None = None
    """As it may be stored: of a userid, folded."""
    account: str | None = None
    user: tuple[str, UserId] | None = None
    by: str = "openid"
    """What `openid` is: openid or userid."""

    def shown(self) -> dict[str, str | None]:
        """Return the subject as the receipt contains it."""
        if self.user:
            return {"client": self.user[0], "user_id": self.user[1]}
        return {self.by: shortened(self.openid or ""), "account": self.account}


@dataclass(frozen=True, slots=True)
class Answer:
    """The result as JSON values; `complete` is False if Redis could not be reached."""

    report: dict[str, Any]
    complete: bool


def subject(
    settings: Settings,
    *,
    openid: str | None,
    userid: str | None,
    account: str | None,
    user_id: str | None,
    client: str | None,
) -> Subject:
    """Return the subject that the command line names.

    Raises:
        ConfigError: the options do not fit together, or `--client` is missing.
    """
    if by := "openid" if openid else "userid" if userid else "":
        if client:
            raise ConfigError([f"--client: only allowed with --user, not with --{by}"])
        if openid:
            return Subject(openid=OpenId(openid), account=account, by=by)
        _check_enterprise(settings, account)
        return Subject(openid=_member(userid or ""), account=account, by=by)
    if account:
        raise ConfigError(["--account: only allowed with --openid or --userid, not with --user"])
    if client is None and len(settings.clients) != 1:
        raise ConfigError(
            [f"--client: is missing; the configured clients are: {', '.join(sorted(settings.clients)) or 'none'}"]
        )
    return Subject(user=(client or next(iter(settings.clients)), UserId(user_id or "")))


def _check_enterprise(settings: Settings, account: str | None) -> None:
    """Refuse a userid that may be of several people: each enterprise has its own."""
    applications = {name: app.corpid for name, app in settings.apps.items() if isinstance(app, WeCom)}
    if account is None and len(set(applications.values())) > 1:
        names = ", ".join(sorted(applications))
        raise ConfigError([f"--account: is missing: the apps {names} are of several enterprises"])


def _member(userid: str) -> OpenId:
    try:
        return of_member(userid)
    except ValueError:
        raise ConfigError(["--userid: must be a userid of WeCom, up to 64 characters without spaces"]) from None


async def export(settings: Settings, about: Subject) -> Answer | None:
    """Return all data about the subject; None if there is none.

    Raises:
        ConfigError: a store cannot be used as configured.
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    async with _open_requests(settings, about) as requests:
        return await requests.export()


async def counted(settings: Settings, about: Subject) -> str | None:
    """Return a summary of what `erase` would erase; None if there is no data. Raises: as `export`."""
    async with _open_requests(settings, about) as requests:
        return await requests.counted()


async def erase(settings: Settings, about: Subject) -> Answer:
    """Erase the subject in all stores; return the receipt. Raises: as `export`."""
    async with _open_requests(settings, about) as requests:
        return await requests.erase()


class SubjectRequests:
    """Exports and erases the data of one subject."""

    def __init__(
        self,
        settings: Settings,
        *,
        sql: Database,
        redis_erasure: RedisErasure,
        departures: Departures,
        about: Subject,
    ) -> None:
        self._settings = settings
        self._sql = sql
        cipher = reencryption.cipher(settings)
        self._identities = Identities(cipher, outbox=build_outbox(settings, cipher))
        self._redis_erasure = redis_erasure
        self._departures = departures
        self._about = about

    async def export(self) -> Answer | None:
        """Return all data; None if there is none.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        would, user = await self.would_erase(), self._about.user
        tables = await self._sql.read(lambda connection: self._disclosed(connection, would))
        try:
            tickets, keys = await self._redis_erasure.find(would, user=user, seconds=_SECONDS)
        except StoreUnavailable:
            return Answer(await self._receipt(AuditEvent.DATA_EXPORTED, **tables, redis=None), complete=False)
        if not any([*tables.values(), tickets, keys]):
            return None
        in_redis = {"tickets": [held(ticket) for ticket in tickets], "keys": keys}
        return Answer(await self._receipt(AuditEvent.DATA_EXPORTED, **tables, redis=in_redis), complete=True)

    def _disclosed(self, connection: sa.Connection, would: Erased) -> dict[str, list[dict[str, Any]]]:
        about = self._about
        known = persons(connection, self._identities, openid=about.openid, account=about.account, user=about.user)
        names = sorted(would.identities | {(person.account, person.openid) for person in known})
        return disclose(connection, known, cipher=self._identities.cipher, names=names, user=about.user)

    async def would_erase(self) -> Erased:
        """Return what `erase` would do to the database: runs it and rolls it back.

        Raises:
            StoreUnavailable: the database does not answer.
        """

        def work(connection: sa.Connection) -> Erased:
            with connection.begin_nested() as point:
                would = self._forget(connection)
                point.rollback()
            return would

        return await self._sql.attempt(work)

    async def counted(self) -> str | None:
        """Return a summary of what `erase` would erase; None if there is no data.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        would = await self.would_erase()
        counts = dict(would.deleted + would.unnamed)
        with suppress(StoreUnavailable):  # the receipt reports it
            tickets, keys = await self._redis_erasure.find(would, user=self._about.user, seconds=_SECONDS)
            counts |= {"in Redis": len(tickets) + len(keys)} if tickets or keys else {}
        return ", ".join(f"{name} {rows}" for name, rows in counts.items()) or None

    async def erase(self) -> Answer:
        """Erase in all stores, twice: the second pass finds what a running service wrote meanwhile.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        erased, traces = Erased(), Counter[str]()
        user, complete = self._about.user, True
        for pause in (_SETTLE, 0):
            erased.add(await self._sql.once(partial(self._forget, also=frozenset(erased.identities))))
            for account, openid in erased.identities:
                if account in self._settings.accounts:  # the others receive no pushes
                    await self._departures.left(account, openid, int(datetime.now(UTC).timestamp()))
            try:
                traces += await self._redis_erasure.forget(erased, user=user, everywhere=True, seconds=_SECONDS)
            except StoreUnavailable:
                complete = False
            await asyncio.sleep(pause)
        rows = dict(+erased.deleted)
        kept = [{"table": name, "rows": count, "why": _WHY[name]} for name, count in (+erased.unnamed).items()]
        receipt = await self._receipt(
            AuditEvent.DATA_ERASED,
            erased={"database": rows, "redis": dict(traces) if complete else None},
            kept=kept,
            note=_NOTE,
        )
        return Answer(receipt, complete)

    def _forget(self, connection: sa.Connection, *, also: frozenset[tuple[str, OpenId]] = frozenset()) -> Erased:
        now, user, openid = datetime.now(UTC), self._about.user, self._about.openid
        erased = forget_user(connection, self._identities, *user, now=now) if user else Erased()
        names = self._names(connection, openid) if openid else set()
        for account, one in sorted(names | also):
            erased.add(
                forget_person(connection, self._identities, account, one, source=ChangeSource.PRIVACY, now=now)
            )
        return erased

    def _names(self, connection: sa.Connection, openid: OpenId) -> set[tuple[str, OpenId]]:
        """Return the openid in the given account, or in all; then with the person's other identities."""
        forms = forms_of(openid)
        if self._about.account:
            return {(self._about.account, one) for one in forms}
        known = persons(connection, self._identities, openid=openid, account=None, user=None)
        everywhere = {(account, one) for account in self._settings.appids for one in forms}
        return everywhere | {(person.account, person.openid) for person in known}

    async def _receipt(self, event: AuditEvent, **details: Any) -> dict[str, Any]:
        receipt, now, shown = secrets.token_urlsafe(9), datetime.now(UTC), self._about.shown()
        entry = AuditEntry(now, event, shown.get("client"), shown.get("account"), detail=f"receipt {receipt}")

        def work(connection: sa.Connection) -> None:
            write_entries(connection, entry)

        await self._sql.once(work)
        return {"receipt": receipt, **plain({"at": now}), "subject": shown, **details}


@asynccontextmanager
async def _open_requests(settings: Settings, about: Subject) -> AsyncIterator[SubjectRequests]:
    """Open the stores, whether or not a service is running.

    Raises:
        ConfigError: a store cannot be used as configured.
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    async with open_stores(settings, check=partial(reencryption.check_usable, settings)) as stores:
        redis = stores.redis
        yield SubjectRequests(
            settings,
            sql=stores.database,
            redis_erasure=RedisErasure(redis, store=TicketStore(redis), questions=OpenQuestions(redis)),
            departures=Departures(redis, accounts=settings.accounts),
            about=about,
        )
