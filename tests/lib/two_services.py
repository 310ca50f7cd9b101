"""Two services that share one Valkey and one SQLite file, as two processes would, and pushes to them.

Calls go to the two services in turn. The expected results are not here but in ticket_model.py.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import ticket_model as model
from aiohttp import ClientResponse
from harness import ACCOUNT, World, client, free_port
from harness import world as make_world

from models.language import Lang
from models.ticket import Confirm
from sandbox import pushes
from sandbox.envelope import Request, wrap
from sandbox.people import Contact
from sandbox.push_format import Fields
from sandbox.replies import Question, judge
from service.confirmation import messages
from service.confirmation.messages import Notice
from service.server.runner import running

NAMES: Final = {"shop": {"zh": "商城", "en": "Shop"}, "club": {"zh": "俱乐部", "en": "Club"}}
KINDS: Final = {
    Notice.LOGGED_IN: "login",
    Notice.REGISTERED: "register",
    Notice.BOUND: "bound",
    Notice.ALREADY_BOUND: "already_bound",
    Notice.WECHAT_TAKEN: "wechat_taken",
    Notice.USER_TAKEN: "user_taken",
    Notice.DECLINED: "declined",
    Notice.WRONG_NUMBER: "wrong_number",
    Notice.OUT_OF_DATE: model.OUT,
    Notice.ANOTHER_PERSON: model.ELSE,
}
LABEL: Final = re.compile("(?<=Identifier ending in )[0-9A-F]{4}|(?<=微信标识尾号：)[0-9A-F]{4}")
SAYINGS: Final = {
    messages.notice(notice, lang=lang, site=NAMES[name][lang]): kind
    for notice, kind in KINDS.items()
    for lang in Lang
    for name in NAMES
} | {messages.hint(confirm, lang=lang): model.HINT for confirm in Confirm for lang in Lang}


@dataclass
class Push:
    """One push as WeChat made it; sent any number of times, always the same bytes."""

    contact: Contact
    fields: Fields
    request: Request
    replies: dict[int, str | None] = field(default_factory=dict)
    """What was heard first, by how often Redis had been lost before."""

    @property
    def created(self) -> int:
        return int(self.fields["CreateTime"])


@dataclass
class Town:
    """Two services, one event loop for all of it, and a diary of what was done."""

    runner: asyncio.Runner
    stack: AsyncExitStack
    world: World
    apps: list[Any]
    urls: Iterator[str]
    losses: int = 0
    """How often Redis was lost."""
    diary: list[str] = field(default_factory=list)
    """What was done since the last beginning: races cannot be repeated at will, so failures show it."""
    seen: Counter[str] = field(default_factory=Counter)
    """What has occurred since the town stands."""
    serial: Iterator[int] = field(default_factory=itertools.count)

    def write(self, line: str) -> None:
        self.diary.append(f"{self.world.clock():%H:%M:%S.%f} {line}")

    async def begin(self) -> list[Contact]:
        """Empty Redis and move past all tickets; return three new people."""
        await self.world.redis.flushall()
        self.world.clock.advance(3600)  # no ticket of an earlier example can be read any more
        self.diary.clear()
        people = [await self.world.sandbox.create_user("somebody", language=to) for to in ("zh_CN", "en_US", "fr")]
        return [self.world.sandbox.state().contact(person) for person in people]

    async def call(self, method: str, path: str, **how: Any) -> ClientResponse:
        self.world.url = next(self.urls)
        return await self.world.call(method, path, **how)

    async def site(self, method: str, path: str, body: Any = None, *, client: str) -> tuple[int, dict[str, Any]]:
        """Call as a client's back end; return the status and what the answer says."""
        self.world.url = next(self.urls)
        answer = await self.world.site(method, path, body, client=client)
        told = await answer.json() if answer.content_length else {}
        self.write(f"{client}: {method} {path} {body} gets {answer.status} {told}")
        return answer.status, told

    async def cancel(self, ticket: str, secret: str, *, after: float = 0) -> int:
        """Cancel as a page, *after* so many seconds; return the status."""
        await asyncio.sleep(after)
        bearer = {"Authorization": f"Bearer {secret}"}
        answer = await self.call("DELETE", f"/v1/tickets/{ticket}", headers=bearer)
        self.write(f"a page cancels {ticket} and gets {answer.status}")
        return answer.status

    def push(self, contact: Contact, fields: Fields) -> Push:
        """Return a push made now; no two are made in one second."""
        clock = self.world.clock
        clock.advance(1)
        said = pushes.addressed(fields, contact, ACCOUNT, now=clock.seconds())
        return Push(contact, said, wrap(said, ACCOUNT, now=clock.seconds()))

    def scanned(self, contact: Contact, qr_url: str) -> Push:
        """Return the push of a scan, which makes its person a follower."""
        code = self.world.sandbox.code(qr_url)
        fields = pushes.scan(code) if contact.following else pushes.follow(code)
        contact.following = True
        return self.push(contact, fields)

    def said(self, contact: Contact, text: str) -> Push:
        return self.push(contact, pushes.text(text, msg_id=self.world.sandbox.post.message_id()))

    def left(self, contact: Contact) -> Push:
        contact.following = False
        return self.push(contact, pushes.unfollow())

    async def deliver(self, push: Push) -> str | None:
        """Post a push, up to three times while it is not processed in time, as WeChat does; return the reply."""
        request = push.request
        for _ in range(3):
            answer = await self.call(
                "POST",
                "/wechat/main",
                params=request.query,
                data=request.body,
                headers={"Content-Type": request.content_type},
            )
            if answer.status != 503:
                break
        assert answer.status == 200, await answer.text()
        leaves = push.fields.get("Event") == "unsubscribe"
        question = Question(ACCOUNT, openid=push.contact.openid, nonce=request.nonce, answerable=not leaves)
        reply = judge(await answer.read(), to=question)
        self.write(f"{push.contact.openid[:5]} pushes {push.fields} and hears {kind_of(reply)}")
        self.seen[f"heard {kind_of(reply)}"] += 1
        push.replies.setdefault(self.losses, reply)
        return reply

    async def lose_redis(self, *, cut: bool) -> None:
        """FLUSHALL; with *cut*, scripts and the connections that listen are gone as well, as after a restart."""
        self.write(f"Redis is lost, {cut=}")
        self.losses += 1
        await self.world.redis.flushall()
        if cut:
            await self.world.redis.script_flush()
            await self.world.redis.client_kill_filter(_type="pubsub")


async def found(redis_url: str, folder: Path, runner: asyncio.Runner) -> Town:
    """Start a town; close its stack at the end."""
    stack = AsyncExitStack()
    clients = {
        "shop": client("shop", confirm={"login": "choose", "bind": "match"}) | {"name": NAMES["shop"]},
        "club": client("club", confirm={"login": "none", "bind": "tap"}, rebind="replace", takeover="move")
        | {"name": NAMES["club"]},
    }
    world = await stack.enter_async_context(
        make_world(
            redis_url,
            folder,
            clients=clients,
            accounts={"main": {"max_skew": 0}},  # what is delivered late here may be very late
            limits={"tickets_per_address": 0, "tickets_per_client": 0},
        )
    )
    sock = stack.enter_context(free_port())
    other = await stack.enter_async_context(running(world.settings, sock=sock, clock=world.clock))
    urls = itertools.cycle([world.url, f"http://127.0.0.1:{other.port}"])
    return Town(runner, stack, world, [world.app, other.app], urls)


def kind_of(reply: str | None) -> str | None:
    """Return the kind of a reply in any language, of any site."""
    if reply is None:
        return None
    return model.QUESTION if "bizmsgmenu" in reply else SAYINGS[LABEL.sub("", reply)]


def links_of(reply: str) -> list[str]:
    return [unquote(link) for link in re.findall(r"msgmenucontent=([^&\"]+)", reply)]
