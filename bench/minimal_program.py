"""The minimal program: what a competent one does with a scan on the same stack. The fair baseline of a scan.

It verifies and decrypts the push with wechatpy, inserts one row, which is on disk before it replies, and replies
`success`. It does not check who scanned, bind, notify pages, keep an audit log, or recognise a push sent twice.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto

from bench.baseline_server import listen
from bench.wechat import ACCOUNT

ENGINE: Final = web.AppKey("engine", AsyncEngine)
CRYPTO: Final = web.AppKey("crypto", WeChatCrypto)
_PRAGMAS: Final = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")

_metadata: Final = sa.MetaData()
_scans: Final = sa.Table(
    "minimal_scans",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("openid", sa.String(64), nullable=False),
    sa.Column("scene", sa.String(64), nullable=False),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
)


async def scanned(request: web.Request) -> web.Response:
    query = request.query
    opened = request.app[CRYPTO].decrypt_message(
        await request.read(), query["msg_signature"], query["timestamp"], query["nonce"]
    )
    message = parse_message(opened)
    row = {"openid": message.source, "scene": message.scene_id, "time": message.create_time}
    async with request.app[ENGINE].begin() as connection:
        await connection.execute(sa.insert(_scans).values(row))
    return web.Response(text="success")


def make_app(url: str) -> web.Application:
    app = web.Application()
    app[ENGINE] = _engine(url)
    app[CRYPTO] = WeChatCrypto(ACCOUNT.token, ACCOUNT.aes_key, ACCOUNT.appid)
    app.router.add_post("/wechat/{account}", scanned)
    app.cleanup_ctx.append(_tables)
    return app


def _engine(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=10)
    # SQLite has one writer at a time: with one connection the others queue instead of polling for the lock.
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    sa.event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma)


async def _tables(app: web.Application) -> AsyncIterator[None]:
    async with app[ENGINE].begin() as connection:
        await connection.run_sync(_metadata.create_all)
    yield
    await app[ENGINE].dispose()


if __name__ == "__main__":
    asyncio.run(listen(make_app(sys.argv[1])))
