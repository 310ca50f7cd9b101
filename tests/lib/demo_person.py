"""A new person at the running demo: signs in by any method, over HTTP alone, as a site's back end sees it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession, CookieJar, encode_basic_auth
from process import Demo
from wechat_browser import Browser, Visit

from sandbox.authorization.inside import user_agent
from sandbox.people import Person


@dataclass(frozen=True)
class _Hosts:
    """What a Browser visits."""

    url: str
    wechat: str


@dataclass
class Newcomer:
    """A person, and the back end of one of the shop's clients."""

    where: Demo
    http: ClientSession
    client: str
    secret: str
    person: Person

    async def phone(self, act: str, **body: Any) -> dict[str, Any]:
        body = {"user": self.person.id, **body}
        async with self.http.post(f"{self.where.phone}/sandbox/api/{act}", json=body) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def api(self, path: str, verb: str = "POST", /, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": encode_basic_auth(self.client, self.secret)}
        url = f"{self.where.service}/v1/{path}"
        async with self.http.request(verb, url, json=body or None, headers=headers) as response:
            assert response.status < 300, await response.text()
            return dict(await response.json())

    async def sign_in(self, method: str) -> dict[str, Any]:
        """Sign in by *method*; return what the exchange tells."""
        back = {"return_url": f"{self.where.shop}/login/wechat/done"} if method in _RETURNS else {}
        ticket = await self.api("tickets", purpose="login", method=method, state="s1", lang="en", **back)
        code = await _METHODS[method](self, ticket)
        return await self.api("exchange", code=code)

    async def status(self, ticket: dict[str, Any], status: str) -> dict[str, Any]:
        url, tag = f"{self.where.service}/v1/tickets/{ticket['ticket']}", '""'
        headers = {"Authorization": f"Bearer {ticket['secret']}", "Prefer": "wait=5"}
        async with asyncio.timeout(30):
            while True:
                async with self.http.get(url, headers={**headers, "If-None-Match": tag}) as response:
                    tag = response.headers["ETag"]
                    if response.status == 200 and (state := await response.json())["status"] == status:
                        return dict(state)

    async def follow(self, name: str) -> str:
        """Follow the account with this name by search; return its appid."""
        async with self.http.get(f"{self.where.phone}/sandbox/api/accounts") as response:
            accounts = (await response.json())["accounts"]
        [appid] = [one["appid"] for one in accounts if one["name"] == name]
        await self.phone("follow", account=appid, by_search=True)
        return str(appid)

    @asynccontextmanager
    async def browser(self, *, inside: bool) -> AsyncIterator[Browser]:
        """Give a new browser, or that inside the person's WeChat."""
        agent = user_agent(self.person) if inside else "Mozilla/5.0"
        jar = CookieJar(unsafe=True)  # the hosts are addresses
        async with ClientSession(cookie_jar=jar, headers={"User-Agent": agent}) as http:
            yield Browser(_Hosts(self.where.service, self.where.phone), http)  # type: ignore[arg-type]

    async def allow(self, browser: Browser, visit: Visit) -> Visit:
        """Allow what the page asks, if it asks."""
        if not visit.consent:
            return visit
        return await browser.open((await self.phone("allow", consent=visit.consent))["address"])

    def returned(self, visit: Visit) -> str:
        """Return the code with which the browser came back to the shop."""
        assert visit.answer.get("state") == "s1", visit.text
        return visit.answer["code"]


async def _chat(one: Newcomer, ticket: dict[str, Any], account: str) -> str:
    await one.phone("say", account=account, text=(await one.status(ticket, "scanned"))["match"])
    return str((await one.status(ticket, "confirmed"))["code"])


async def _scan(one: Newcomer, ticket: dict[str, Any]) -> str:
    scanned = await one.phone("scan", code=ticket["qr_url"])
    assert scanned["outcome"] == "follow_first"
    await one.phone("follow")
    return await _chat(one, ticket, scanned["code"]["appid"])


async def _passcode(one: Newcomer, ticket: dict[str, Any]) -> str:
    async with one.http.get(one.where.service + ticket["send_to"]["qr_png"]) as picture:
        headers = {"Content-Type": picture.content_type}
        async with one.http.post(
            f"{one.where.phone}/sandbox/api/picture", data=await picture.read(), headers=headers
        ) as read:
            code = (await read.json())["code"]
    assert await one.phone("scan", code=code["id"])
    await one.phone("follow")
    await one.phone("say", account=code["appid"], text=ticket["passcode"])
    return await _chat(one, ticket, code["appid"])


async def _link(one: Newcomer, ticket: dict[str, Any]) -> str:
    async with one.browser(inside=True) as browser:
        await browser.open(ticket["qr_url"])
        number = (await one.status(ticket, "scanned"))["match"]
        await browser.submit(answer=number)
    return str((await one.status(ticket, "confirmed"))["code"])


async def _mini_program(one: Newcomer, ticket: dict[str, Any]) -> str:
    opened = await one.phone("open_mini_program", code=ticket["open_url"])
    login = await one.phone("mini_program_login", program=opened["appid"])
    told = await one.api("miniprogram/mini/scans", scene=opened["scene"], js_code=login["code"])
    number = (await one.status(ticket, "scanned"))["match"]
    await one.api("miniprogram/mini/answers", reply_token=told["reply_token"], answer=number)
    return str((await one.status(ticket, "confirmed"))["code"])


async def _website(one: Newcomer, ticket: dict[str, Any]) -> str:
    async with one.browser(inside=False) as browser:
        return one.returned(await one.allow(browser, await browser.open(ticket["authorize_url"])))


async def _h5(one: Newcomer, ticket: dict[str, Any]) -> str:
    async with one.browser(inside=True) as browser:
        visit = await browser.open(ticket["authorize_url"])
        if 'href="userinfo"' in visit.text:  # a page that explains what is asked for next
            visit = await browser.open(str(visit.url).replace("/more", "/userinfo"))
        return one.returned(await one.allow(browser, visit))


async def _wecom(one: Newcomer, ticket: dict[str, Any]) -> str:
    await one.phone("enroll")
    return await _website(one, ticket)


_RETURNS = ("website", "h5", "wecom")
_METHODS: dict[str, Callable[[Newcomer, dict[str, Any]], Awaitable[str]]] = {
    "scan": _scan,
    "passcode": _passcode,
    "link": _link,
    "miniprogram": _mini_program,
    "website": _website,
    "h5": _h5,
    "wecom": _wecom,
}
