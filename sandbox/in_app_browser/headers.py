"""The headers that WeChat's browser sends, and those of an answer that its page keeps."""

from typing import Final

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sandbox.authorization.inside import user_agent
from sandbox.in_app_browser import rewriting
from sandbox.in_app_browser.addresses import Opened, origin
from sandbox.people import Person

_SENT: Final = ("Accept", "Authorization", "Content-Type", "If-None-Match", "Prefer")
_LANGUAGES: Final = {"zh": "zh-CN,zh;q=0.9", "en": "en-US,en;q=0.9"}
_KEPT: Final = (
    *("Cache-Control", "Content-Disposition", "Content-Language", "Content-Type", "ETag", "Retry-After"),
    "X-Content-Type-Options",
)
_POLICY: Final = "Content-Security-Policy"
# Scripts of the page run at the sandbox's origin: those that are inline, or of hosts that the sandbox does not
# know, must not.
_OWN_POLICY: Final = "script-src 'self'; object-src 'none'; frame-ancestors 'self'"
REFERRER: Final = {"Referrer-Policy": "same-origin"}
"""By the referrer the sandbox knows the page that sent a request."""


def sent(request: web.Request, url: URL, person: Person) -> dict[str, str]:
    """Return the headers of a request to `url`, for the request that the frame sent to the sandbox."""
    given = request.headers
    referrer = Opened.read(URL(given.get("Referer", ""), encoded=True).raw_path_qs)
    page = referrer.url if referrer else None
    headers = {name: given[name] for name in _SENT if name in given}
    headers |= {
        "Accept-Encoding": "identity",
        "Accept-Language": _LANGUAGES["zh" if person.language.startswith("zh") else "en"],
        "User-Agent": user_agent(person),
    }
    # Browsers send no metadata to a sandbox at an address of a network, over http.
    dest = given.get("Sec-Fetch-Dest", "iframe" if "text/html" in given.get("Accept", "") else "")
    mode = given.get("Sec-Fetch-Mode", "navigate")
    if dest:
        headers |= {
            "Sec-Fetch-Dest": "document" if dest == "iframe" else dest,
            "Sec-Fetch-Mode": mode,
            "Sec-Fetch-Site": _site(page, url),
        }
    if page is None:
        return headers
    same = origin(page) == origin(url)
    headers["Referer"] = str(page.with_fragment(None) if same else page.origin()) + ("" if same else "/")
    if request.method not in ("GET", "HEAD") or (mode == "cors" and not same):
        headers["Origin"] = str(page.origin())
    return headers


def kept(answer: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the headers of a page for the frame that shows it."""
    headers = CIMultiDict({name: answer[name] for name in _KEPT if name in answer})
    headers.update(REFERRER)
    for policy in (*map(rewriting.policy, answer.getall(_POLICY, ())), _OWN_POLICY):
        headers.add(_POLICY, policy)
    return headers


def _site(page: URL | None, url: URL) -> str:
    if page is None:
        return "none"
    if origin(page) == origin(url):
        return "same-origin"
    # Hosts with a common parent domain would be one site as well; the sandbox's hosts are addresses, mostly.
    return "same-site" if (page.scheme, page.host) == (url.scheme, url.host) else "cross-site"
