"""Fetches pages as the browser inside WeChat does. The phone page shows them in a frame."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, CookieJar, web
from yarl import URL

from sandbox.access import CONTROL, INSIDE, is_near
from sandbox.authorization.pages import notice
from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.authorization.words import BROWSER
from sandbox.errors import Unknown
from sandbox.in_app_browser import headers, rewriting
from sandbox.in_app_browser.addresses import Opened, origin
from sandbox.in_app_browser.known_sites import KnownSites, is_page_of_wechat
from sandbox.people import Person
from sandbox.wechat_api import SANDBOX

LARGEST: Final = 4 * 1024 * 1024
ARRIVES_WITHIN: Final = 40.0
"""Seconds: longer than a poll that a service holds."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class InAppBrowser:
    """The browsers of all people, each with cookies of its own."""

    sites: KnownSites
    authorization: WebAuthorization
    _jars: dict[tuple[str, bool], CookieJar] = field(default_factory=dict)

    def jar(self, person: Person) -> CookieJar:
        """Return the person's cookies. Snapshots of pages have others, which end with them."""
        snapshot = self.authorization.shows_snapshots(person)
        if not snapshot:
            self._jars.pop((person.id, True), None)
        if (person.id, snapshot) not in self._jars:
            self._jars[person.id, snapshot] = CookieJar(unsafe=True)  # hosts are addresses, mostly
        return self._jars[person.id, snapshot]


KEY: Final = web.AppKey("in_app_browser", InAppBrowser)


async def _open(request: web.Request) -> web.Response:
    opened = Opened.read(request.raw_path)
    try:
        person = request.app[SANDBOX].people.get(opened.user if opened else "")
    except Unknown:
        opened = None
    if opened is None:
        return _notice(BROWSER["en"], "unknown", status=404)
    words = BROWSER["zh" if person.language.startswith("zh") else "en"]
    own = _own_address(request, opened.url)
    sites, near = request.app[KEY].sites, is_near(request)
    if not (is_page_of_wechat(opened.url) if own else sites.include(opened.url, near=near)):
        return _notice(words, "refused", opened.url, status=403)
    try:
        async with asyncio.timeout(ARRIVES_WITHIN):
            return await _fetched(request, opened, person, own or opened.url)
    except (ClientError, TimeoutError, ValueError) as e:
        return _notice(words, "unreachable", opened.url, status=502, why=str(e))


def _notice(
    words: Mapping[str, str], what: str, url: URL | None = None, *, status: int, why: str = ""
) -> web.Response:
    reason = " ".join((words[what], str(url.origin()) if url else "", why))
    return notice(words["title"], reason, lang=words["lang"], status=status)


def _own_address(request: web.Request, url: URL) -> URL | None:
    """Return where the sandbox is reached from this machine, if the page is one of its own; else None.

    Its public address may be a name that only phones know.
    """
    own = (request.app[SANDBOX].public_url, f"{request.scheme}://{request.host}")
    bound = request.transport.get_extra_info("sockname") if request.transport else None
    if not isinstance(bound, tuple) or origin(url) not in [origin(URL(one)) for one in own]:
        return None
    return URL.build(scheme="http", host=bound[0], port=bound[1]).join(url.relative())


async def _fetched(request: web.Request, opened: Opened, person: Person, address: URL) -> web.Response:
    given = {**headers.sent(request, opened.url, person), "Host": opened.url.raw_authority}
    body = await request.read()  # of at most 1 MiB (aiohttp)
    async with (
        ClientSession(cookie_jar=request.app[KEY].jar(person)) as http,
        http.request(request.method, address, headers=given, data=body or None, allow_redirects=False) as answer,
    ):
        location = answer.headers.get("Location")
        if answer.status in _REDIRECTS and location:
            to = {**headers.REFERRER, "Location": opened.redirected(location).address, "Cache-Control": "no-store"}
            return web.Response(status=answer.status, headers=to)
        received = await _body(answer)
        if answer.content_type == "text/html":
            received = rewriting.page(received, opened)
        return web.Response(status=answer.status, body=received, headers=headers.kept(answer.headers))


async def _body(answer: ClientResponse) -> bytes:
    if answer.content_type == "text/event-stream":
        raise ClientError("streams are not passed on")
    body = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > LARGEST:
            raise ClientError(f"more than {LARGEST // 2**20} MiB")
    return bytes(body)


async def _sites(request: web.Request) -> web.Response:
    """GET sites -> {"sites":[...]}: the addresses given to `make_app`."""
    return web.json_response({"sites": [str(site) for site in request.app[KEY].sites.given]})


def add_routes(app: web.Application) -> None:
    """Add the addresses of pages that are open inside WeChat."""
    app.router.add_route("*", INSIDE + "{page:.*}", _open)
    app.router.add_get(f"{CONTROL}sites", _sites)
