"""Secrets and personal data planted in a whole run at DEBUG appear in no log, metric, error or header."""

import contextlib
import json
import re
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import ClientResponse, ClientSession, web
from harness import CORP, MINI, ORIGIN, SECRETS, Clock, Page, World, account, application, basic, client
from mini_program_phone import Phone, scene_of
from portal_client import bearer, follow, link, visit
from redirecting import BACK
from redis.asyncio import Redis
from sealed import KEYS, Back
from serving import Service, listening, serving
from wechat_browser import CONSENT

from sandbox import pushes
from sandbox.account import OfficialAccount, Website
from sandbox.app import AUTHORIZATION, MINI_PROGRAMS, SANDBOX, make_app
from sandbox.envelope import wrap
from sandbox.faults import FORGERIES
from sandbox.push_format import Fields
from service.storage.embedded_valkey import valkey

MAIN, SPITE = (
    OfficialAccount(
        appid=appid,
        secret=secret * 8,
        token=f"canarytoken{secret}",
        aes_key=f"canaryAesKey{secret}".ljust(43, "z"),
        gh_id=f"gh_{secret}",
        callback_url="",
    )
    for appid, secret in (("wx0123456789abcdef", "c0a1"), ("wxfedcba9876543210", "c0a2"))
)
SITE, LIAR = (
    Website(appid=appid, secret=secret * 8, domain="127.0.0.1")
    for appid, secret in (("wx00112233445566aa", "c0a3"), ("wx00112233445566bb", "c0a4"))
)
PROGRAM, ENTERPRISE = replace(MINI, secret="c0a5" * 8), replace(CORP, secret="c0a6" * 8)
AGENT = "Mozilla/5.0 (canary-agent; Windows NT 10.0) Chrome/130.0"
HERE, THERE = "203.0.113.77", "203.0.113.78"
KEY, JUNK, USER = "canary-secret-key-" + "k" * 30, "canary-junk", "canary-user"
ABOUT = {"account_name": "canary-name", "visitor": {"ip": THERE, "user_agent": AGENT}}
PLANTED = {
    *(KEY, JUNK, USER, HERE, THERE, "canary-agent", "canary-name", "canary-state", "canary-session"),
    *("canary-unionid", "canary-words", *SECRETS.values(), basic()["Authorization"].partition(" ")[2]),
    *(secret for one in (MAIN, SPITE) for secret in (one.secret, one.token, one.aes_key)),
    *(SITE.secret, LIAR.secret, PROGRAM.secret, ENTERPRISE.secret, "canary-way", "canary-member"),
    *("canary-nickname", "canary-of-a-sealed-call", *KEYS.values()),
}
HANDED_OVER = {"Set-Cookie", "Location"}
"""Headers by which the portal gives a visitor what is theirs."""


async def _quote(request: web.Request) -> web.Response:
    """Refuse as WeChat at its worst: the errmsg says again all that was sent."""
    said = f"{request.url} {await request.text()}"
    return web.json_response({"errcode": 40013, "errmsg": f"invalid: {said} rid: 5f0a-1"})


@dataclass
class Town(World):
    """A world whose service is a process of its own; keeps every answer, and what only the run brings forth."""

    answers: list[tuple[ClientResponse, str]] = field(default_factory=list)
    found: set[str] = field(default_factory=set)

    async def call(self, method: str, path: str, **how: Any) -> ClientResponse:
        how["headers"] = {"User-Agent": AGENT, "X-Forwarded-For": HERE, **how.get("headers", {})}
        response = await super().call(method, path, **how)
        self.answers.append((response, (await response.read()).decode(errors="replace")))
        return response

    async def confirmed(self, page: Page, person: Any) -> str:
        """Scan and say yes; return the code."""
        await self.scan(person, page)
        await self.sandbox.tap(person, "Yes, that is me")
        code = str((await page.until("confirmed"))["code"])
        self.found |= {page.made["secret"], page.made["qr_svg"][7:-4], code}
        return code

    async def returned(self, page: Page, person: Any, *, way: str = "", code: str = "") -> ClientResponse:
        """Go to WeChat, allow what it asks, and come back, with a made-up *code* if one is given."""
        own = way or page.made["authorize_url"]
        opened = await self.call("GET", urlsplit(own).path, allow_redirects=False)
        cookie = opened.headers["Set-Cookie"].partition(";")[0]
        async with self.http.get(opened.headers["Location"]) as response:
            asks = CONSENT.search(await response.text())
        assert asks
        back = urlsplit(str(self.authorization.allow(person, asks[1]).address))
        query = {name: values[0] for name, values in parse_qs(back.query).items()}
        self.found |= {own.rpartition("/")[2], cookie.partition("=")[2], *query.values(), code} - {""}
        query |= {"code": code} if code else {}
        how: dict[str, Any] = {"params": query, "headers": {"Cookie": cookie}, "allow_redirects": False}
        answer = await self.call("GET", back.path, **how)
        again = await self.call("GET", back.path, **how | {"headers": {"Cookie": cookie[:-1]}})
        assert again.status == 400
        return answer

    async def push(self, name: str, official: OfficialAccount, fields: Fields) -> ClientResponse:
        now = self.clock.seconds()
        request = wrap({**fields, "CreateTime": int(now)}, official, now=now)
        return await self.call("POST", f"/wechat/{name}", params=request.query, data=request.body)


@contextlib.asynccontextmanager
async def _town(folder: Path) -> AsyncIterator[tuple[Town, Service, contextlib.AsyncExitStack]]:
    """Give the town, its service, and what ends its Redis."""
    async with contextlib.AsyncExitStack() as stack:
        losing = await stack.enter_async_context(contextlib.AsyncExitStack())
        redis_url = await losing.enter_async_context(valkey(folder))
        emulated = [MAIN], [SITE, LIAR], [PROGRAM], [ENTERPRISE]
        wechat = make_app(*emulated, public_url="http://weixin.qq.com")
        quoting = web.Application()
        quoting.router.add_route("*", "/{rest:.*}", _quote)
        here, there = [await stack.enter_async_context(listening(app)) for app in (wechat, quoting)]
        service = await stack.enter_async_context(
            serving(
                folder,
                here,
                *("--log-level", "DEBUG"),
                server={"trusted_proxies": ["127.0.0.1"]},
                redis={"url": redis_url},
                secret_key=KEY,
                accounts={"main": account(MAIN, api_base=here), "spite": account(SPITE, api_base=there)},
                apps={
                    "site": application(SITE, wechat=here),
                    "liar": application(LIAR, wechat=here) | {"api_base": there},
                    "mini": application(PROGRAM, wechat=here),
                    "corp": application(ENTERPRISE, wechat=here),
                },
                clients={
                    "shop": client(
                        *("shop",),
                        accounts=["main", "spite"],
                        apps=["site", "liar"],
                        methods=["scan", "website"],
                        return_urls=[BACK],
                        profile=True,
                        sealing_key=list(KEYS.values()),
                        confirm="tap",
                        access_token=["main"],
                    ),
                    "club": client(
                        *("club",),
                        apps=["mini", "corp"],
                        methods=["passcode", "miniprogram", "wecom"],
                        return_urls=[BACK],
                        confirm="tap",
                    ),
                },
            )
        )
        http = await stack.enter_async_context(ClientSession())
        redis = await losing.enter_async_context(Redis.from_url(redis_url, decode_responses=True))
        await service.ready(http)
        parts = wechat[SANDBOX], wechat[AUTHORIZATION], wechat[MINI_PROGRAMS]
        town = Town(service.url, http, here, *parts, redis, None, None, Clock())  # type: ignore[arg-type]  # another process has them
        town.sandbox.point(f"{service.url}/wechat/main")
        yield town, service, losing


async def _live(town: Town) -> None:
    """Do what people and sites do all day."""
    anna, ben = await town.person(unionid="canary-unionid"), await town.person()
    town.found |= {town.sandbox.contact(one).openid for one in (anna, ben)}
    code = await town.confirmed(await town.login(state="canary-state"), anna)
    told = await (await town.exchange(code)).json()
    town.found.add(told["registration"])
    body = {"user_id": USER, "registration": told["registration"]}
    assert (await town.site("POST", "/v1/bindings", body)).status == 201
    page = await town.login(state="canary-state")
    assert (await town.exchange(await town.confirmed(page, anna))).status == 200
    assert (await page.raw(suffix="/events")).status == 200
    page = await town.bind(USER, session="canary-session", **ABOUT)
    assert "canary-name" in (await town.scan(ben, page) or "")
    assert (await page.raw(suffix="/code")).status == 200
    await town.sandbox.tap(ben, "Not me")
    await town.say(ben, "canary-words")
    assert len(await town.bindings(USER)) == 1
    made, here = await link(town, USER, account_name="canary-name"), await visit(town, USER)
    cookie = next(iter((await follow(town, made)).cookies.values())).value
    town.found |= {made["token"], here.token, here.secret, cookie}
    await town.call("GET", (await here.bind()).made["qr_png"])
    assert (await here.call("DELETE", "/bindings/main")).status == 204
    await here.call("DELETE")
    await town.sandbox.unfollow(anna)
    assert (await town.site("DELETE", f"/v1/bindings/{USER}")).status == 404
    token = await (await town.site("GET", "/v1/accounts/main/access-token")).json()
    asked = {"access_token": token["access_token"]}
    assert (await town.site("POST", "/v1/accounts/main/access-token/invalid", asked)).status == 204
    town.found |= set(town.sandbox.state().tokens._issued)


async def _redirect(town: Town) -> None:
    """Sign in at website applications, in a window and in a panel, with what goes wrong there."""
    anna = await town.person(following=False, unionid="canary-unionid")
    town.sandbox.change_profile(anna, nickname="canary-nickname")
    town.found |= {anna.openid(SITE.appid), anna.openid(LIAR.appid)}
    way = {"method": "website", "return_url": BACK, "state": "canary-state"}
    page = await town.login(**way)
    code = parse_qs(urlsplit((await town.returned(page, anna)).headers["Location"]).query)["code"][0]
    told = await (await town.exchange(code)).json()
    page = await town.bind(USER, **way)
    bound = parse_qs(urlsplit((await town.returned(page, anna)).headers["Location"]).query)["code"][0]
    assert (await town.exchange(bound)).status == 200
    assert told["profile"]["nickname"] == "canary-nickname"
    town.found.add(town.authorization.pictures.address(anna, base=town.wechat))
    picture = urlsplit(told["profile"]["picture"]).path
    assert (await town.call("GET", picture)).status == 200
    town.found |= {code, bound, told["registration"], picture.rpartition("/")[2]}
    page = await town.login(**way)
    assert "canary-state" in await (await town.returned(page, anna, way=page.made["panel"]["src"])).text()
    for fields, code in ({}, "canary-made-up"), ({"account": "liar"}, ""):
        answer = await town.returned(await town.login(**way, **fields), anna, code=code)
        assert "error=" in answer.headers["Location"]
    town.found |= {*town.authorization._grants._tokens, *town.authorization._grants._refreshed}
    page = await town.bind(USER, **way)
    opened = await town.call("GET", urlsplit(page.made["authorize_url"]).path, allow_redirects=False)
    for key in await town.redis.keys("scanbind:[rw]:*"):  # as another version might write it
        await town.redis.set(key, str(await town.redis.get(key)).replace('"way":"', '"way":"canary-way')[:-1])
    state = parse_qs(urlsplit(opened.headers["Location"]).query)["state"][0]
    for path in (urlsplit(page.made["authorize_url"]).path, f"/oauth/site?code={JUNK}&state={state}"):
        assert (await town.call("GET", path, allow_redirects=False)).status == 400


async def _elsewhere(town: Town) -> None:
    """Sign in by a passcode, in a mini program and with WeCom, and do it wrong before."""
    anna = await town.person(unionid="canary-unionid")
    page = await town.login(client="club", method="passcode")
    await town.say(anna, "CANA RYXY")
    await town.say(anna, page.made["passcode"])
    await town.say(anna, "Yes, that is me")
    shown = page.made["passcode"]
    town.found |= {shown, shown.replace(" ", ""), str((await page.until("confirmed"))["code"])}

    page, phone = await town.login(client="club", method="miniprogram"), Phone(town, anna, program=PROGRAM)
    js_code = phone.login()
    assert (await phone.scans(page, js_code=JUNK)).status == 400
    told = await (await phone.scans(page, js_code=js_code)).json()
    assert (await phone.scans(page, js_code=js_code)).status == 400
    phone.token = told["reply_token"]
    assert (await phone.answers(JUNK)).status == 400
    assert (await phone.answers("yes")).status == 200
    town.found |= {js_code, phone.token, anna.openid(PROGRAM.appid), scene_of(town, page)}
    town.found |= {page.made["qr_png"].rpartition("/")[2], str((await page.until("confirmed"))["code"])}

    town.authorization.enterprises.enroll(anna, "canary-member")
    way = {"client": "club", "method": "wecom", "return_url": BACK, "state": "canary-state"}
    for code in ("", "canary-made-up"):
        answer = await town.returned(await town.login(**way), anna, code=code)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        town.found |= {*query.get("code", [])}
        assert ("error" in query) == bool(code)
    keys = await town.redis.keys("*:token")
    assert len(keys) >= 3
    town.found |= {str(await town.redis.get(key)) for key in keys}


async def _sealed(town: Town) -> None:
    """Call sealed, and do it wrong."""
    shop = Back(town)
    fields = shop.wanted("GET", f"/v1/bindings/{USER}", jti="canary-of-a-sealed-call")
    wrong = [fields | change for change in ({"jti": JUNK}, {"path": f"/v1/{JUNK}"}, {"query": JUNK}, {"iat": 1})]
    statuses = [(await shop.send(shop.seal(one))).status for one in (fields, fields, *wrong, JUNK.encode())]
    assert statuses == [200, 400, 400, 404, 400, 400, 400]
    assert (await shop.send(JUNK)).status == 401


async def _err(town: Town) -> None:
    """Do all kinds of things wrong."""
    person, page = await town.person(), await town.login()
    for forgery in sorted(FORGERIES):
        await town.sandbox.scan(person, page.made["qr_url"], fault=forgery)
    town.found |= {page.made["secret"], town.sandbox.contact(person).openid}
    for method in ("GET", "POST"):
        query = {"signature": JUNK, "msg_signature": JUNK, "timestamp": "1", "nonce": JUNK, "echostr": JUNK}
        assert (await town.call(method, "/wechat/main", params=query, data=JUNK)).status == 403
    doors = [
        ("POST", "/v1/tickets", {"data": JUNK}),
        ("POST", "/v1/tickets", {"json": {"purpose": JUNK}}),
        ("POST", "/v1/tickets", {"json": {"purpose": "login", "client_id": JUNK}, "headers": {"Origin": JUNK}}),
        ("POST", "/v1/tickets", {"json": {"purpose": "login", "client_id": "shop", "lang": JUNK}}),
        ("POST", "/v1/tickets", {"json": {"purpose": "bind", "user_id": USER}, "headers": basic("shop", JUNK)}),
        ("POST", "/v1/exchange", {"json": {"code": f"{page.id}.{JUNK}"}, "headers": basic()}),
        ("POST", "/v1/exchange", {"data": f'{{"code": "{JUNK}"', "headers": basic()}),
        ("POST", "/v1/exchange", {"json": {"code": JUNK * 10_000}, "headers": basic()}),
        ("POST", "/v1/bindings", {"json": {"user_id": USER, "registration": JUNK}, "headers": basic()}),
        ("POST", "/v1/accounts/main/access-token/invalid", {"json": {"access_token": [JUNK]}, "headers": basic()}),
        ("GET", f"/v1/accounts/{JUNK}/access-token", {"headers": basic()}),
        ("GET", f"/v1/tickets/{page.id}", {"headers": bearer(JUNK)}),
        ("GET", f"/v1/tickets/{JUNK}?secret={JUNK}", {}),
        ("GET", f"/portal/open/{JUNK}", {}),
        ("GET", f"/v1/portal-sessions/{JUNK}", {"headers": {"Cookie": f"scanbind_portal_{JUNK}={JUNK}"}}),
        ("GET", f"/v1/qr/{JUNK}.png", {}),
        ("GET", f"/authorize/{JUNK}.{JUNK}", {"headers": {"Cookie": f"scanbind_browser={JUNK}; {JUNK}"}}),
        ("GET", f"/oauth/{JUNK}?code={JUNK}&state={JUNK}", {"headers": {"Referer": JUNK}}),
        ("GET", f"/oauth/site?code={JUNK}&state={JUNK}&state={JUNK}", {}),
        ("PATCH", f"/v1/exchange?{JUNK}", {}),
        ("GET", f"/{JUNK}?{JUNK}={JUNK}", {"headers": {"X-Request-Id": f"{JUNK}\u00e9"}}),
    ]
    for method, path, how in doors:
        assert 400 <= (await town.call(method, path, **how)).status < 500, (method, path)
    answer = await town.site("POST", "/v1/tickets", {"purpose": "bind", "user_id": USER, "account": "spite"})
    assert answer.status == 502
    follower = {"ToUserName": SPITE.gh_id, "FromUserName": "oCanaryOfSpite", **pushes.follow(None)}
    town.found.add("oCanaryOfSpite")
    assert (await town.push("spite", SPITE, follower)).status == 200


async def _lose(town: Town, folder: Path, losing: contextlib.AsyncExitStack) -> None:
    """Lose the database, by a fault and as a whole, and then Redis."""
    page, person = await town.login(), await town.person()
    town.found |= {page.made["secret"], town.sandbox.contact(person).openid}
    asked = {"user_id": USER, "account_name": "canary-name"}
    for fault, status in (
        ("CREATE TRIGGER spite BEFORE INSERT ON portal_sessions BEGIN SELECT RAISE(ABORT, 'spite'); END", 500),
        ("ALTER TABLE portal_sessions RENAME TO elsewhere", 503),
    ):
        with contextlib.closing(sqlite3.connect(folder / "var" / "scanbind.sqlite3")) as database, database:
            database.execute(fault)
        assert (await town.site("POST", "/v1/portal-sessions", asked)).status == status
    await losing.aclose()
    assert (await page.raw()).status in (200, 503)  # from memory, as long as it is fresh
    body = {"purpose": "login", "client_id": "shop"}
    assert (await town.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})).status == 503
    scan = {"ToUserName": MAIN.gh_id, "FromUserName": town.sandbox.contact(person).openid}
    code = town.sandbox.code(page.made["qr_url"])
    assert (await town.push("main", MAIN, {**scan, **pushes.scan(code)})).status == 503


async def test_nothing_planted_is_found_in_logs_figures_errors_or_headers(tmp_path: Path) -> None:
    """Red when `hide_parameters` is off, `middleware._log_access` logs the path, `middleware.identify` keeps any
    text, `transport._understood` passes the errmsg on, or `logs.QUIET` lets SQLAlchemy or aiosqlite speak.
    """
    async with _town(tmp_path) as (town, service, losing):
        await _live(town)
        await _redirect(town)
        await _elsewhere(town)
        await _sealed(town)
        await _err(town)
        await _lose(town, tmp_path, losing)
        figures = await (await town.call("GET", "/metrics")).text()
        await town.call("GET", "/readyz")
        service.process.send_signal(signal.SIGTERM)
        await service.process.wait()
    log = service.log.read_text()
    assert {"debug", "info", "warning", "error"} <= {json.loads(line)["level"] for line in log.splitlines()}
    assert {401, 403, 404, 405, 413, 415, 500, 502, 503} <= {answer.status for answer, _ in town.answers}
    assert len(town.found) >= 15
    canaries = PLANTED | town.found
    assert [one for one in canaries if one in log] == []
    assert [one for one in canaries if one in figures] == []
    for answer, body in town.answers:
        kept = {name: value for name, value in answer.headers.items() if name not in HANDED_OVER}
        told = f"{kept} {body if answer.status >= 400 or re.search('/readyz|/openapi', answer.url.path) else ''}"
        assert [one for one in canaries if one in told] == [], (answer.method, answer.url.path, answer.status)
