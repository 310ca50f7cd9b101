"""An Official Account that is migrated to another, in the sandbox and in a database of the service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from aiohttp.test_utils import TestServer
from binding_rows import bind_in
from harness import ACCOUNT, SECOND, Clock

from models.binding import UserId
from models.events import OpenId
from models.tables.columns import metadata
from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox
from sandbox.people import Person, newcomer
from service.bindings.account_migration import Takeover, migrate
from service.bindings.migration_report import MigrationReport
from service.bindings.repository import Bindings
from service.config.settings import Settings, validate
from service.identities import reencryption
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database

OLD: Final = replace(ACCOUNT, gh_id="gh_000000000old")
NEW: Final = replace(SECOND, gh_id="gh_000000000new")
AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Migration:
    """The accounts in the sandbox, and the database. `account`: the name of the new account; the old is `main`."""

    database: Database
    sandbox: Sandbox
    wechat: str
    stores: dict[str, Any]
    clock: Clock
    account: str = "main"
    keys: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    people: int = 0

    def tree(self, *, before: bool = False, **of_new: Any) -> dict[str, Any]:
        """Return the configuration file as it is, or as it was before the migration."""
        bases = {"api_base": self.wechat, "open_base": self.wechat}
        shown = ("appid", "secret", "token", "aes_key", "gh_id")
        old, new = ({name: getattr(one, name) for name in shown} | bases for one in (OLD, NEW))
        accounts = {"main": old, self.account: old if before and self.account == "main" else new | of_new}
        return {
            **self.stores,
            "secret_key": "k" * 40,
            "accounts": accounts,
            "encryption": {"keys": list(self.keys)},
        }

    def settings(self, **how: Any) -> Settings:
        """Return the configuration, as `tree` does."""
        return validate(self.tree(**how))

    def followers(self, *, before: bool = False) -> Followers:
        settings = self.settings(before=before)
        identities = Identities(reencryption.cipher(settings), settings.appids, settings.open_platforms)
        return Followers(self.database, identities)

    async def person(self, **users: str) -> Person:
        """Make a follower of the old account, known to the service and bound to these users of clients."""
        person = newcomer(f"Person {self.people}", language="en")
        self.people += 1
        self.sandbox.people.add(person)
        contact = self.sandbox.contact(person, account=OLD.appid)
        contact.following = True
        await self.bind(person, before=True, **users)
        return person

    async def bind(self, person: Person, *, before: bool = False, **users: str) -> None:
        """Let the service see a person at the old account, or at the new one, and bind them there."""
        followers = self.followers(before=before)
        account, openid = ("main", old(person)) if before else (self.account, new(person))
        await followers.seen(Sender(account, openid, AT))

        def work(connection: sa.Connection) -> None:
            for client, user in users.items():
                bind_in(connection, followers.identities, openid, user, account=account, client=client)

        await self.database.once(work)

    async def learn(self, person: Person, unionid: str, *, before: bool = False) -> None:
        account, openid = ("main", old(person)) if before else (self.account, new(person))
        await self.followers(before=before).learned(account, openid, unionid=unionid, lang=None, asked_at=AT)

    def declare(self) -> None:
        """Let WeChat migrate the old account to the new one."""
        self.sandbox.migrate(OLD.appid, account=NEW.appid)

    async def run(self, *, gh_id: str = OLD.gh_id, dry_run: bool = False, **of_new: Any) -> MigrationReport:
        takeover = Takeover(gh_id, self.account)
        return await migrate(self.settings(**of_new), takeover, dry_run=dry_run, write=self.lines.append)

    async def bindings(self, client: str, user: str) -> list[tuple[str, str | None, OpenId]]:
        """Return account, appid and openid of a user's bindings."""
        found = await Bindings(self.database, self.followers().identities).of_user(client, UserId(user))
        return [(it.account, it.appid, it.openid) for it in found]

    async def rows(self) -> dict[str, list[Any]]:
        """Return all rows of all tables, by table."""

        def work(connection: sa.Connection) -> dict[str, list[Any]]:
            return {
                it.name: list(connection.execute(sa.select(it).order_by(*it.primary_key)).mappings())
                for it in metadata.sorted_tables
                if it.name != "commit_marks"
            }

        return await self.database.read(work)

    def now(self, person: Person) -> tuple[str, str, OpenId]:
        """Return account, appid and openid of a person who was migrated."""
        return self.account, NEW.appid, new(person)


def old(person: Person) -> OpenId:
    return OpenId(person.openid(OLD.appid))


def new(person: Person) -> OpenId:
    return OpenId(person.openid(NEW.appid))


Begin = Callable[..., AbstractAsyncContextManager[Migration]]
"""`migrating`, with its stores."""


@asynccontextmanager
async def migrating(
    database: Database, url: str, redis_url: str, folder: Path, **changes: Any
) -> AsyncIterator[Migration]:
    """Run a sandbox with both accounts, before the migration is declared; *changes* are of the new account."""
    clock = Clock()
    clock.hold()
    app = make_app([OLD, replace(NEW, **changes)], public_url="http://weixin.qq.com", clock=clock.seconds)
    async with TestServer(app) as server:
        stores = {"data_dir": str(folder), "database": {"url": url}, "redis": {"url": redis_url}}
        sandbox = app[SANDBOX]
        yield Migration(database, sandbox, str(server.make_url("")).rstrip("/"), stores, clock)
