"""A push whose process is killed before it replied is passed on again, and the person gets a reply.

Red when a claim outlives its process by more than WeChat's three deliveries.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession
from harness import ACCOUNT, account
from redis.asyncio import Redis
from serving import serving, wechat
from targets import Received, echo, target

from sandbox import pushes
from sandbox.envelope import Request, wrap
from sandbox.replies import Question, judge

PERSON = "oKilledKilledKilledKilledKil"


def said(text: str) -> Request:
    head = {"ToUserName": ACCOUNT.gh_id, "FromUserName": PERSON, "CreateTime": int(time.time())}
    return wrap({**head, **pushes.text(text, msg_id=1)}, ACCOUNT, now=time.time())


async def deliver(http: ClientSession, url: str, request: Request) -> str | None:
    """Deliver a push once; return the reply, or the status of a failure."""
    async with http.post(f"{url}/wechat/main", params=request.query, data=request.body) as answer:
        body = await answer.read()
    if answer.status != 200:
        return str(answer.status)
    return judge(body, to=Question(ACCOUNT, openid=PERSON, nonce=request.nonce))


async def test_a_push_whose_process_is_killed_is_passed_on_again(
    tmp_path: Path, redis: Redis, redis_url: str
) -> None:
    async def never(_push: Received) -> str:
        await asyncio.sleep(60)
        return "success"

    async with wechat() as api, target(never) as bot, ClientSession() as http:
        main = account(ACCOUNT, api_base=api, forward=[bot.settings(events=["text"])])
        settings: dict[str, Any] = {
            "redis": {"url": redis_url},
            "secret_key": "k" * 40,
            "accounts": {"main": main},
        }
        request = said("hello")
        async with serving(tmp_path, api, **settings) as doomed:
            await doomed.ready(http)
            first = asyncio.create_task(deliver(http, doomed.url, request))
            await bot.until(1)
            doomed.process.kill()
            with contextlib.suppress(ClientError):
                await first
        bot.answer = echo
        async with serving(tmp_path, api, **settings) as again:
            await again.ready(http)
            replies = [await deliver(http, again.url, request)]
            if replies == ["503"]:
                replies.append(await deliver(http, again.url, request))
            assert replies[-1] == "bot: hello"
        assert bot.names == ["text", "text"]
        assert await redis.keys("scanbind:d:*") != []
