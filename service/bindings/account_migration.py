"""Migrates the identities of a former Official Account to the one that took it over (`scanbind bindings migrate`).

WeChat is asked for 100 openids at a time, and each answer is stored in one transaction. What has the new appid is
done, so the command can be interrupted at any moment and run again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.errors import WeChatUnavailable
from models.events import OpenId
from service.audit.log import write_entries
from service.bindings import conflicts
from service.bindings.former_appids import unconfigured
from service.bindings.former_identities import Former, former
from service.bindings.identity_migration import Clash, IdentityMigration, Migrated
from service.bindings.migration_report import FORMER_UNKNOWN, MigrationReport, stopped
from service.config.settings import ConfigError, Settings
from service.identities import reencryption
from service.identities.followers import Followers
from service.identities.repository import Identities, Identity, hold
from service.outbox.subscriptions import build_outbox
from service.storage import embedded_valkey
from service.storage.database import Database
from service.storage.stores import open_database, open_redis
from service.wechat.api import WeChatApi, open_apis
from service.wechat.build import build_api_accounts

Result = tuple[Identity, OpenId, Migrated | Sequence[Clash]]


@dataclass(frozen=True, slots=True)
class Takeover:
    """The original id of the former account, and the name of the one that took it over."""

    gh_id: str
    account: str


async def migrate(
    settings: Settings, takeover: Takeover, *, dry_run: bool, write: Callable[[str], None]
) -> MigrationReport:
    """Migrate all identities, or with *dry_run* only ask WeChat; call *write* with each line of the report.

    Raises:
        ConfigError: the account is not configured, or cannot be called.
        StoreUnavailable: a store does not answer, or the tables are not current.
        WeChatUnavailable: WeChat refused the call or did not answer. What was migrated stays.
    """
    apis = build_api_accounts(settings)
    if takeover.account not in apis:
        raise ConfigError([f"--account: must be one of: {', '.join(apis) or 'no account with api is configured'}"])
    report = MigrationReport(write=write, dry_run=dry_run)
    check = partial(reencryption.check_usable, settings)
    async with (
        open_database(settings, check=check, patient=True) as database,
        open_redis(settings, embedded=embedded_valkey.shared) as redis,
        open_apis({takeover.account: apis[takeover.account]}, redis=redis) as opened,
    ):
        migration = AccountMigration(
            settings=settings,
            takeover=takeover,
            database=database,
            api=opened[takeover.account],
            report=report,
        )
        try:
            await migration.run()
        finally:
            report.finish()
    return report


@dataclass(slots=True, kw_only=True)
class AccountMigration:
    """One run of the command."""

    settings: Settings
    takeover: Takeover
    database: Database
    api: WeChatApi
    report: MigrationReport
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _followers: Followers = field(init=False)
    _from_appids: list[str] = field(default_factory=list, init=False)
    """What `from_appid` may be (wechat-protocol.md 8); once WeChat takes one, that alone."""
    _given: dict[OpenId, OpenId] = field(default_factory=dict, init=False)
    """The former openid of each new one, of all calls."""

    def __post_init__(self) -> None:
        configured = self.settings
        cipher = reencryption.cipher(configured)
        outbox = build_outbox(configured, cipher)
        identities = Identities(cipher, configured.appids, configured.open_platforms, outbox)
        self._followers = Followers(self.database, identities, partial(conflicts.report, clock=self.clock))

    async def run(self) -> None:
        """Migrate all. Raises StoreUnavailable, WeChatUnavailable."""
        account, gh_id = self.takeover.account, self.takeover.gh_id
        found = await former(self.database, self.settings, account=account, gh_id=gh_id)
        if not found:
            await self._tell_why_none()
        appids = [one.appid or self.settings.appids[one.account] for one in found]
        self._from_appids = list(dict.fromkeys([gh_id, *appids]))
        for one in found:
            async for ids in one.batches(self.database):
                await self._migrate(one, ids)

    async def _tell_why_none(self) -> None:
        account, gh_id = self.takeover.account, self.takeover.gh_id
        line = f"no account is configured with gh_id {gh_id}, and accounts.{account} has no former appid"
        if lost := await unconfigured(self.database, self.settings.appids):
            names = ", ".join(sorted(lost))
            line += (
                f"; bindings of accounts that are not configured: {names}. "
                f"If one is the former account, configure it with gh_id {gh_id} and api false"
            )
        self.report.write(line)

    async def _migrate(self, one: Former, ids: Sequence[int]) -> None:
        clock, identities = asyncio.get_running_loop().time, self._followers.identities
        known, unreadable = await self.database.read(partial(one.read, ids=ids, identities=identities))
        for number in unreadable:
            self.report.note_unreadable(one.account, number)
        new = await self._ask(list(dict.fromkeys(it.openid for it in known))) if known else {}
        for it in known:
            if it.openid not in new:
                self.report.note_unknown(it)
        began = clock()
        for identity, openid, result in await self._store(one, [it.id for it in known if it.openid in new], new):
            if isinstance(result, Migrated):
                self.report.note_migrated(united=result.united)
            else:
                self.report.note_clashes(identity, openid, result)
        await asyncio.sleep(clock() - began)  # leave half of the time to the running service

    async def _ask(self, openids: Sequence[OpenId]) -> Mapping[OpenId, OpenId]:
        """Return the new openids, as WeChat tells them. Raises WeChatUnavailable."""
        while True:
            try:
                new = await self.api.change_openids(self._from_appids[0], openids)
            except WeChatUnavailable as refusal:
                if refusal.errcode != FORMER_UNKNOWN or len(self._from_appids) == 1:
                    account, base = self.takeover.account, self.settings.accounts[self.takeover.account].api_base
                    raise stopped(refusal, account, former=self.takeover.gh_id, api_base=base) from refusal
                del self._from_appids[0]
            else:
                del self._from_appids[1:]
                self._check_distinct(new)
                return new

    def _check_distinct(self, new: Mapping[OpenId, OpenId]) -> None:
        if any(self._given.setdefault(to, openid) != openid for openid, to in new.items()):
            raise WeChatUnavailable("WeChat told one new openid for two people")

    async def _store(self, one: Former, ids: Sequence[int], new: Mapping[OpenId, OpenId]) -> Sequence[Result]:
        migration = IdentityMigration(followers=self._followers, account=self.takeover.account, now=self.clock())

        def work(connection: sa.Connection) -> Sequence[Result]:
            hold(connection, ids)
            with connection.begin_nested() as point:
                # Those that were not erased meanwhile.
                known, _ = one.read(connection, ids, migration.followers.identities)
                results = [(it, new[it.openid], migration.move(connection, it, new[it.openid])) for it in known]
                if self.report.dry_run:
                    point.rollback()
                else:
                    _audit(connection, one, results, migration)
            return results

        return await self.database.once(work) if ids else []


def _audit(
    connection: sa.Connection, one: Former, results: Sequence[Result], migration: IdentityMigration
) -> None:
    done = [result for _, _, result in results if isinstance(result, Migrated)]
    if done:
        united = sum(result.united for result in done)
        detail = f"{len(done)} of {one.account} {one.appid}, {united} united"
        entry = AuditEntry(migration.now, AuditEvent.IDENTITIES_MIGRATED, account=migration.account, detail=detail)
        write_entries(connection, entry)
