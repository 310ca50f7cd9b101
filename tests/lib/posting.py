"""Pushes put together by hand, valid or not, and the content of both stores before and after."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

from aiohttp import ClientResponse
from harness import ACCOUNT, Page, World

from sandbox import pushes
from sandbox.crypto import Sealer, sign
from sandbox.envelope import Request, wrap
from sandbox.people import Contact
from sandbox.push_format import write

Snapshot = tuple[dict[str, Any], dict[str, list[Any]]]
NONCE = "1514711492"
_COUNTERS = ("scanbind:l:", "scanbind:last_")
_TOLD = {"asked_at", "lang", "unionid"}
"""Columns that are filled beside the pushes, whenever WeChat answers."""


async def snapshot(world: World) -> Snapshot:
    """Return the content of both stores.

    Without counters, the times of pushes, followers' data from WeChat, and the audit log.
    """
    keys = sorted([key async for key in world.redis.scan_iter("*")])
    held = {key: await world.redis.get(key) for key in keys if not key.startswith(_COUNTERS)}
    with closing(sqlite3.connect(world.settings.data_dir / "scanbind.sqlite3")) as sql:
        sql.row_factory = sqlite3.Row
        tables = [
            name
            for (name,) in sql.execute("select name from sqlite_master where type = 'table'")
            if name not in ("audit", "commit_marks")  # written a little later than what they are about
        ]
        return held, {name: [_row(row) for row in sql.execute(f'select * from "{name}"')] for name in tables}


def _row(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in row.keys() if name not in _TOLD}  # noqa: SIM118 - a Row iterates its values


class Push:
    """One scan of a ticket by a stranger, to be sent whole or spoilt."""

    def __init__(self, world: World, page: Page, contact: Contact) -> None:
        self.world, self.contact, self.account = world, contact, world.sandbox.state().account
        code = world.sandbox.code(page.made["qr_url"])
        self.fields = pushes.addressed(pushes.scan(code), contact, self.account, now=world.clock.seconds())

    def request(self, **about: Any) -> Request:
        return wrap(self.fields, replace(self.account, **about), now=self.world.clock.seconds())

    async def send(
        self,
        request: Request,
        *,
        account: str = "main",
        query: Any = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> ClientResponse:
        return await self.world.call(
            "POST",
            f"/wechat/{account}",
            params=request.query if query is None else query,
            data=request.body if body is None else body,
            headers={"Content-Type": request.content_type, **(headers or {})},
        )

    def sealed(self, message: bytes, **about: Any) -> Request:
        """Return a push with any content, signed and encrypted as WeChat does."""
        encrypted = Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid).seal(message)
        return self.signed(encrypted, **about)

    def signed(self, encrypted: str, *, form: str = "xml") -> Request:
        parts = (ACCOUNT.token, stamp := str(int(self.world.clock.seconds())), NONCE)
        query = {"signature": sign(*parts), "timestamp": stamp, "nonce": NONCE}
        query |= {"encrypt_type": "aes", "msg_signature": sign(*parts, encrypted)}
        body = write({"ToUserName": ACCOUNT.gh_id, "Encrypt": encrypted}, "json" if form == "json" else "xml")
        return Request(query, body, "text/xml")


async def prepared(world: World) -> tuple[Push, Page]:
    page = await world.login()
    stranger = await world.person(following=False)
    return Push(world, page, world.sandbox.contact(stranger)), page
