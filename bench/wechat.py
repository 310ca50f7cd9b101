"""Runs the sandbox as a process with existing followers: `python -m bench.wechat PEOPLE`."""

import asyncio
import sys
from typing import Final

from bench.baseline_server import listen
from sandbox.app import SANDBOX, OfficialAccount, make_app
from sandbox.people import Person

ACCOUNT: Final = OfficialAccount(
    appid="wx0123456789abcdef",
    secret="5" * 32,
    token="sandboxtoken",
    aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    gh_id="gh_0123456789ab",
    callback_url="",
)


def openid(number: int) -> str:
    """Return the openid of the follower with this number."""
    return _person(number).openid(ACCOUNT.appid)


def _person(number: int) -> Person:
    return Person(f"u_{number}", f"Person {number}")


async def _serve(people: int) -> None:
    app = make_app([ACCOUNT], public_url="http://weixin.qq.com")
    state = app[SANDBOX].state()
    for number in range(people):
        state.contact(_person(number)).following = True
    await listen(app)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
