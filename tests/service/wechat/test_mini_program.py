"""The API of a mini program: codes as pictures, errors as JSON, and logins that are sent once.

Red when an error is taken for a picture or the reverse, when a page that WeChat does not know yet gets no code,
when a login is sent again, or when a session_key, a login or a secret is logged.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from models.errors import WeChatUnavailable
from service.wechat import transport
from service.wechat.mini_program import LARGEST_PICTURE, MiniProgramApi, open_mini_programs
from service.wechat.transport import ApiAccount

JPEG, PNG = b"\xff\xd8\xff\xe0 a picture", b"\x89PNG\r\n\x1a\n a picture"
KEY, CODE, SECRET = "the-session-key-of-anna", "the-code-of-anna-0123456789", "5" * 32
REFUSED = ("application/json; encoding=utf-8", {"errcode": 41030, "errmsg": "invalid page rid: 1-2-3"})


@dataclass
class Script:
    """Answers calls in this order, the last answer for ever: a content type, and bytes, JSON or None."""

    answers: list[tuple[str, Any]]
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked["secret"] == SECRET
        return web.json_response({"access_token": f"token-{len(self.tokens)}", "expires_in": 7200})

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.query.get("access_token", ""))
        self.queries.append(dict(request.query))
        if raw := await request.read():
            self.bodies.append(json.loads(raw))
        kind, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            assert request.transport
            request.transport.abort()
            return web.Response()
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, status=self.status, headers={"Content-Type": kind})


Calling = Callable[[Script], AbstractAsyncContextManager[MiniProgramApi]]


@pytest.fixture
def calling(redis: Redis) -> Calling:
    """Open the API of a mini program at a script of answers."""

    @asynccontextmanager
    async def opened(script: Script) -> AsyncIterator[MiniProgramApi]:
        app = web.Application()
        app.router.add_post("/cgi-bin/stable_token", script.token)
        for path in ("/wxa/getwxacodeunlimit", "/sns/jscode2session"):
            app.router.add_route("*", path, script.answer)
        async with TestServer(app) as server:
            account = ApiAccount("wxmini", SECRET, str(server.make_url("/")))
            async with open_mini_programs({"mini": account}, redis=redis) as apis:
                yield apis["mini"]

    return opened


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what the service logged, without the requests of this test's server."""
    return "".join(record.getMessage() for record in caplog.records if record.name.startswith("service."))


async def made(api: MiniProgramApi) -> bytes:
    return await api.make_code("s" * 32, page="pages/scan/index", env_version="trial")


@pytest.mark.parametrize(
    ("kind", "picture"), [("image/jpeg", JPEG), ("image/png", PNG), ("image/jpeg", PNG)], ids=str
)
async def test_a_picture_is_returned_as_it_came(calling: Calling, kind: str, picture: bytes) -> None:
    script = Script([(kind, picture)])
    async with calling(script) as api:
        assert await made(api) == picture
    assert script.bodies == [
        {
            "scene": "s" * 32,
            "page": "pages/scan/index",
            "env_version": "trial",
            "width": 280,
            "check_path": True,
        }
    ]


@pytest.mark.parametrize(
    "answer",
    [
        ("image/jpeg", b"GIF89a"),
        ("image/svg+xml", b"<svg onload='x'/>"),
        ("image/png", b""),
        ("text/plain", PNG),
        ("application/json", {"ok": 1}),
        ("image/png", PNG + bytes(LARGEST_PICTURE)),
        ("image/png", None),
    ],
    ids=["gif", "svg", "empty", "plain", "json", "large", "cut"],
)
async def test_what_is_no_picture_is_no_code(calling: Calling, answer: tuple[str, Any]) -> None:
    async with calling(Script([answer])) as api:
        with pytest.raises(WeChatUnavailable) as caught:
            await made(api)
    assert caught.value.errcode is None


async def test_a_page_that_wechat_does_not_know_is_asked_for_without_the_check(calling: Calling) -> None:
    script = Script([REFUSED, ("image/jpeg", JPEG)])
    async with calling(script) as api:
        assert await made(api) == JPEG
    assert [body["check_path"] for body in script.bodies] == [True, False]


async def test_a_page_that_cannot_be_opened_is_asked_for_twice_and_no_more(calling: Calling) -> None:
    script = Script([REFUSED])
    async with calling(script) as api:
        with pytest.raises(WeChatUnavailable) as caught:
            await made(api)
    assert (caught.value.errcode, len(script.bodies)) == (41030, 2)


@pytest.mark.parametrize("errcode", [40001, 42001])
async def test_a_refused_token_is_replaced_once(calling: Calling, errcode: int) -> None:
    script = Script([("application/json", {"errcode": errcode, "errmsg": "no"}), ("image/jpeg", JPEG)])
    async with calling(script) as api:
        assert await made(api) == JPEG
    assert script.tokens == ["token-0", "token-1"]


@pytest.mark.parametrize("errcode", [45009, 40097, 40169])
async def test_a_refusal_is_not_repeated(calling: Calling, errcode: int) -> None:
    script = Script([("application/json", {"errcode": errcode, "errmsg": "no"})])
    async with calling(script) as api:
        with pytest.raises(WeChatUnavailable) as caught:
            await made(api)
    assert (caught.value.errcode, len(script.bodies)) == (errcode, 1)


@pytest.mark.parametrize(
    ("answer", "unionid"),
    [
        (("text/plain", {"openid": "o1", "session_key": KEY}), None),
        (("application/json", {"openid": "o1", "session_key": KEY, "unionid": "u1", "errcode": 0}), "u1"),
    ],
    ids=["without unionid and errcode", "with both"],
)
async def test_a_login_tells_the_person(
    calling: Calling, answer: tuple[str, Any], unionid: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script([answer])
    with caplog.at_level(logging.DEBUG):
        async with calling(script) as api:
            login = await api.login(CODE)
    assert (login.openid, login.unionid) == ("o1", unionid)
    asked = {"appid": "wxmini", "secret": SECRET, "js_code": CODE, "grant_type": "authorization_code"}
    assert script.queries == [asked]
    assert KEY not in repr(login) + logged(caplog)


@pytest.mark.parametrize(
    ("answer", "errcode"),
    [
        ({"errcode": -1, "errmsg": CODE}, -1),
        ({"errcode": 40029, "errmsg": CODE}, 40029),
        ({"errcode": 40226, "errmsg": CODE}, 40226),
        ({"session_key": KEY}, None),
        ({"openid": 1, "session_key": KEY}, None),
        ({"openid": "o1", "unionid": "ü"}, None),
        (None, None),
    ],
    ids=str,
)
async def test_a_login_is_sent_once_and_not_logged(
    calling: Calling, answer: Any, errcode: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script([("text/plain", answer)])
    with caplog.at_level(logging.DEBUG):
        async with calling(script) as api:
            with pytest.raises(WeChatUnavailable) as caught:
                await api.login(CODE)
    assert (caught.value.errcode, len(script.queries)) == (errcode, 1)
    assert "jscode2session failed for wxmini" in caplog.text
    assert not [planted for planted in (CODE, KEY, SECRET) if planted in logged(caplog) + repr(caught.value)]


async def test_a_call_without_an_answer_ends(calling: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DEADLINE", 0.05)
    held = asyncio.Event()

    class Silent(Script):
        async def answer(self, request: web.Request) -> web.Response:
            await held.wait()
            return web.Response()

    async with calling(Silent([])) as api:
        with pytest.raises(WeChatUnavailable):
            await api.login(CODE)
        held.set()
