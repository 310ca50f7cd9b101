"""A program with wechatpy, beside a real service: examples/wechatpy_session.

Red when the program fetches a token itself, when a revoked or expired token costs a call, when a call is repeated
more than once, and when the lines of the README do not work.
"""

import asyncio
import re
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import requests
from aiohttp import ClientSession
from harness import ACCOUNT, SECRETS, Clock, client
from requests.adapters import HTTPAdapter
from serving import listening, serving
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from sandbox.app import SANDBOX, make_app
from sandbox.emulator import Sandbox
from sandbox.people import Person
from sandbox.tokens import TokenStore

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "wechatpy_session"
CODE = {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "x"}}}


@dataclass
class Program:
    """A program of the shop; its calls go to the emulated WeChat."""

    example: ModuleType
    service: str
    wechat: str
    sandbox: Sandbox
    clock: Clock
    person: Person

    @property
    def tokens(self) -> TokenStore:
        return self.sandbox.state().tokens

    @property
    def openid(self) -> str:
        return str(self.sandbox.contact(self.person).openid)

    @property
    def fetches(self) -> tuple[int, int]:
        """How often WeChat was asked for a stable token, and for one of the classic kind."""
        return self.tokens._stable_calls[1].used, self.tokens._classic_calls.used

    def session(self, secret: str = SECRETS["shop"], **more: Any) -> Any:
        return self.example.ScanbindSession(self.service, "shop", secret, **more)

    def client(self) -> Any:
        return self.example.ScanbindClient(ACCOUNT.appid, self.session())

    def revoke(self) -> None:
        """Force a refresh, as another program of the account would."""
        asked = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
        self.tokens.stable(asked | {"force_refresh": True}, now=self.clock.seconds())


async def subscribed(client: Any, openid: str) -> int:
    """Ask WeChat about a person, in a thread: wechatpy waits, and WeChat runs in this one."""
    return int((await asyncio.to_thread(client.user.get, openid))["subscribe"])


@pytest.fixture
async def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Program]:
    clock = Clock()
    emulated = make_app([ACCOUNT], public_url="http://weixin.qq.com", clock=clock.seconds, retry_interval=0)
    monkeypatch.syspath_prepend(str(FOLDER))
    import scanbind_session as example

    async with AsyncExitStack() as stack:
        wechat = await stack.enter_async_context(listening(emulated))
        clients = {"shop": client("shop", access_token=["main"])}
        service = await stack.enter_async_context(serving(tmp_path, wechat, clients=clients))
        http = await stack.enter_async_context(ClientSession())
        await service.ready(http)
        monkeypatch.setattr(example.ScanbindClient, "API_BASE_URL", f"{wechat}/cgi-bin/")
        sandbox = emulated[SANDBOX]
        sandbox.state().tokens._stable_calls[1].period *= 10**6  # else its count begins anew at Beijing's midnight
        person = await sandbox.create_user("Anna", language="en")
        await sandbox.follow(
            person, by_search=True
        )  # no push of it reaches the service, which would call WeChat, too
        yield Program(example, service.url, wechat, sandbox, clock, person)
    sys.modules.pop("scanbind_session")


async def test_the_lines_of_the_readme_work(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    written = (FOLDER / "README.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"^ *```python\n(.*?)^ *```", written, re.MULTILINE | re.DOTALL)
    for shown, real in (
        ("http://127.0.0.1:8080", program.service),
        ("password-of-the-shop", SECRETS["shop"]),
        ("OPENID", program.openid),
    ):
        assert shown in lines
        lines = lines.replace(shown, real)
    await asyncio.to_thread(exec, textwrap.dedent(lines), {})
    assert capsys.readouterr().out == "1\n"
    assert program.sandbox.contact(program.person).messages[-1].text == "Hello"
    assert program.fetches == (1, 0)


async def test_a_token_is_asked_for_once_in_its_time(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0  # whole, so that sums are exact
    monkeypatch.setattr(program.example, "time", SimpleNamespace(monotonic=lambda: now))
    asked: list[str] = []
    session, client_ = program.session(), program.client()
    call = session._call
    monkeypatch.setattr(session, "_call", lambda *how, **more: (asked.append(how[0]), call(*how, **more))[1])
    client_.session = session
    for _ in range(3):
        assert await subscribed(client_, program.openid) == 1
    assert asked == ["GET"]
    left = session._until - now
    assert 6800 <= left <= 6900
    now += left
    assert await subscribed(client_, program.openid) == 1
    assert asked == ["GET", "GET"]


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_a_token_that_has_ended_costs_no_call(program: Program, end: str) -> None:
    """Red when the token is not reported, or wechatpy's own retry is on."""
    client_ = program.client()
    assert await subscribed(client_, program.openid) == 1
    if end == "revoked":
        program.revoke()
    else:
        program.clock.advance(7201)
    before, _ = program.fetches
    assert (await asyncio.to_thread(client_.qrcode.create, CODE))["expire_seconds"] == 60
    assert program.fetches == (before + 1, 0)
    assert await subscribed(client_, program.openid) == 1


async def test_many_programs_replace_a_token_once(program: Program) -> None:
    clients = [program.client() for _ in range(12)]
    await asyncio.gather(*(subscribed(one, program.openid) for one in clients))
    program.revoke()
    before, _ = program.fetches
    assert set(await asyncio.gather(*(subscribed(one, program.openid) for one in clients))) == {1}
    assert program.fetches == (before + 1, 0)


async def test_a_call_is_repeated_once_alone(program: Program) -> None:
    """Red when a call is repeated as long as WeChat refuses the token."""
    client_ = program.client()
    assert await subscribed(client_, program.openid) == 1
    assert program.tokens._stable
    program.tokens._stable.usable_until = 0  # WeChat refuses the token, and returns it again
    for _ in range(3):
        with pytest.raises(WeChatClientException) as caught:
            await subscribed(client_, program.openid)
        assert caught.value.errcode == 40001
    assert program.fetches == (2, 0)


async def test_other_errors_are_no_fault_of_the_token(program: Program) -> None:
    client_ = program.client()
    with pytest.raises(WeChatClientException) as caught:
        await subscribed(client_, "o_of_no_person")
    assert caught.value.errcode == 40003
    assert program.fetches == (1, 0)


async def test_a_token_can_be_replaced_by_hand(program: Program) -> None:
    client_ = program.client()
    assert await subscribed(client_, program.openid) == 1
    program.revoke()
    told = await asyncio.to_thread(client_.fetch_access_token)
    assert told == {"access_token": program.tokens._stable and program.tokens._stable.value}
    assert program.fetches[1] == 0


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"secret": "wrong"}, 401), ({"account": "none"}, 404)],
    ids=["a wrong password", "an unknown account"],
)
async def test_without_a_token_the_answer_of_scanbind_is_raised(
    program: Program, wrong: dict[str, str], status: int
) -> None:
    client_ = program.example.ScanbindClient(ACCOUNT.appid, program.session(**wrong))
    with pytest.raises(requests.HTTPError) as caught:
        await subscribed(client_, program.openid)
    assert caught.value.response.status_code == status


async def test_a_token_that_wechatpy_fetches_itself_is_refused(program: Program) -> None:
    """Red when the session ignores it: WeChatClient would fetch one after the other, to the end of the quota."""

    class Away(HTTPAdapter):
        def send(self, request: Any, *how: Any, **more: Any) -> Any:
            request.url = request.url.replace("https://api.weixin.qq.com", program.wechat)
            return super().send(request, *how, **more)

    plain = WeChatClient(ACCOUNT.appid, ACCOUNT.secret, session=program.session())
    plain._http.mount("https://api.weixin.qq.com", Away())
    assert await subscribed(plain, program.openid) == 1
    program.revoke()
    with pytest.raises(TypeError, match="ScanbindClient"):
        await subscribed(plain, program.openid)
    assert program.fetches[1] == 1


async def test_other_values_are_kept_in_memory(program: Program) -> None:
    session = program.session()
    session.set("wx0123456789abcdef_jsapi_ticket", "ticket", 7200)
    assert session.get("wx0123456789abcdef_jsapi_ticket") == "ticket"
    assert session.get("wx0123456789abcdef_jsapi_ticket_expires_at", 0) == 0
