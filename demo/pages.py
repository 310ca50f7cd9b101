"""What each page shows to which visitor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin

from demo.phones import masked
from demo.scanbind import Scanbind
from demo.templates import Html, filled
from demo.users import User
from demo.visitors import Visitor

DONE: Final = "/login/wechat/done"  # where WeChat leads back to
KINDS: Final = ("all", "test", "service", "personal", "website", "miniprogram", "company")


@dataclass(frozen=True, slots=True)
class Look:
    """How a request wants its page."""

    lang: str
    here: str  # the shop's own origin
    inside: bool  # in the browser inside WeChat
    say: str  # the notice
    method: str  # the only way to sign in with WeChat to show; empty: all that the client has


@dataclass(slots=True, kw_only=True)
class Pages:
    scanbind: Mapping[str, Scanbind]  # for each kind of account
    phone_url: str
    clock: Callable[[], float]

    async def show(self, page: str, visitor: Visitor, look: Look) -> str:
        """Return the page of this name; users get their account instead of forms to sign in."""
        late = self._forget_late(visitor)
        page = "account" if visitor.user and page != "ways" else page
        make = {"login": self._login, "ways": self._ways, "account": self._account}.get(page, self._form)
        main = await make(page, visitor, look)
        parts = {f"say_{look.say}", "say_late" if late else "", "widget" if "<scanbind-qr" in main else ""}
        parts |= {"method"} if look.method else set()
        values = {"scanbind": self.scanbind[visitor.kind].url, "phone": self.phone_url}
        values["method"] = quote(look.method)
        return filled("shop", lang=look.lang, parts=parts, main=main, **values)

    def _forget_late(self, visitor: Visitor) -> bool:
        """Forget a scanned WeChat whose time is over; return whether there was one."""
        late = visitor.scanned is not None and self.clock() >= visitor.scanned.ends_at
        visitor.scanned = None if late else visitor.scanned
        return late

    async def _form(self, page: str, visitor: Visitor, look: Look, /, *parts: str, **values: str) -> Html:
        """Fill in a page, with the scanned WeChat if there is one, and with the number that a code was sent to."""
        scanned = None if "bound" in parts else visitor.waiting(self.clock())  # a user has one WeChat
        shown = {*parts, "waiting" if scanned else "", "sent" if visitor.code else "unsent"}
        shown |= {"sent_waiting"} if scanned and visitor.code else set()
        face = self._face(scanned.profile, look) if scanned else ""
        values |= {"number": visitor.number, "sent_to": visitor.code.number if visitor.code else ""}
        return filled(page, lang=look.lang, parts=shown, face=face, **values)

    async def _login(self, page: str, visitor: Visitor, look: Look) -> Html:
        scanbind, done = self.scanbind[visitor.kind], look.here + DONE
        ways = (await scanbind.methods(done, visitor.state) or ["h5"]) if look.inside or look.method else []
        method = look.method if look.method in ways else ""
        inside = look.inside and "h5" in ways and method in ("", "h5")
        parts = {
            "inside" if inside else "outside",
            "one" if method else "",
            "" if inside or not method else "fixed",
        }
        values = {"client": scanbind.client.id, "state": visitor.state, "done": done, "method": method}
        return await self._form(page, visitor, look, *parts, **values)

    async def _account(self, page: str, visitor: Visitor, look: Look) -> Html:
        user = visitor.user or User()
        answer = await self.scanbind[visitor.kind].ask("GET", f"bindings/{user.id}") or {"bindings": []}
        since = min((one["bound_at"][:10] for one in answer["bindings"]), default="")
        known = next((one["profile"] for one in answer["bindings"] if one.get("profile")), None)
        parts = ("bound" if since else "unbound", "phone" if user.number else "")
        values = {"name": user.name, "phone": masked(user.number), "since": since}
        return await self._form(page, visitor, look, *parts, bound_face=self._face(known, look), **values)

    async def _ways(self, page: str, visitor: Visitor, look: Look) -> Html:
        offered = await self.scanbind[visitor.kind].methods(look.here + DONE, visitor.state)
        ways = Html("".join(self._way(method, visitor, look) for method in offered or ()))
        kinds = [
            filled("kind", lang=look.lang, parts={kind, "selected" if kind == visitor.kind else ""}, kind=kind)
            for kind in KINDS
            if kind in self.scanbind
        ]
        parts = ("user" if visitor.user else "visitor", "away" if offered is None else "")
        return await self._form(page, visitor, look, *parts, ways=ways, kinds=Html("".join(kinds)))

    def _way(self, method: str, visitor: Visitor, look: Look) -> Html:
        parts = {method, "open" if not visitor.user and (method != "h5" or look.inside) else ""}
        return filled("way", lang=look.lang, parts=parts, method=method, phone=self.phone_url)

    def _face(self, profile: Any, look: Look) -> Html:
        """Return the picture and nickname of a WeChat; empty when scanbind knows neither."""
        if not profile or not any(profile.values()):
            return Html()
        parts = {"picture"} if profile["picture"] else ()
        picture = urljoin(f"{next(iter(self.scanbind.values())).url}/", profile["picture"] or "")
        return filled("face", lang=look.lang, parts=parts, picture=picture, nickname=profile["nickname"] or "")
