"""What the forms do. Each returns the visitor, who may be on a new session, and the address that follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from demo.pages import DONE
from demo.phones import Codes, folded, masked
from demo.scanbind import Scanbind
from demo.users import User, Users
from demo.visitors import ScannedWeChat, Visitor

Next = tuple[Visitor, str]
Form = Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Forms:
    scanbind: Mapping[str, Scanbind]  # for each kind of account
    users: Users
    codes: Codes
    clock: Callable[[], float]

    async def ask(self, visitor: Visitor, method: str, path: str, /, **body: object) -> Any:
        return await self.scanbind[visitor.kind].ask(method, path, **body)

    # -- WeChat ------------------------------------------------------------------------------------------------

    async def leave(self, visitor: Visitor, form: Form) -> Next:
        """Redirect a browser inside WeChat to WeChat, which leads back to DONE with the visitor's state."""
        how = {"method": "h5", "return_url": form["here"] + DONE, "state": visitor.state}
        ticket = await self.ask(visitor, "POST", "tickets", purpose="login", lang=form["lang"], **how)
        return visitor, (ticket or {}).get("authorize_url") or "/login?say=again"

    async def returned(self, visitor: Visitor, form: Form) -> Next:
        """Take what WeChat led back with: a one-time code, or an error."""
        # Before the exchange: a code for another visitor's state is not even used up.
        return await self.scanned(visitor, form if form["state"] == visitor.state else {"code": ""})

    async def scanned(self, visitor: Visitor, form: Form) -> Next:
        """Exchange the one-time code of a login: sign its user in, or ask a new one for the phone number."""
        login = await self.ask(visitor, "POST", "exchange", code=form["code"])
        if not login or login["state"] != visitor.state:  # an attacker could submit the code of their own login
            return visitor, "/login?say=again"
        if login["outcome"] == "register":
            ends_at = self.clock() + login["expires_in"]
            visitor.scanned = ScannedWeChat(login["registration"], visitor.kind, ends_at, login.get("profile"))
            return visitor, "/phone"
        if user := self.users.by_id.get(login["user_id"]):
            return visitor.renewed(user), "/"
        await self.ask(visitor, "DELETE", f"bindings/{login['user_id']}")  # of a user that a restart has lost
        return visitor, "/login?say=again"

    async def connect(self, visitor: Visitor, _form: Form) -> Next:
        """Bind the WeChat that was used here to the user who signed in since."""
        return await self.enter(visitor, visitor.user, join=True) if visitor.user else (visitor, "/login")

    async def portal(self, visitor: Visitor, form: Form) -> Next:
        """Redirect the user to the portal, which connects and disconnects WeChat."""
        user = visitor.user or User()
        about = {"user_id": user.id, "account_name": user.name, "only_login": user.needs_wechat}
        about |= {"return_url": form["here"], "lang": form["lang"]}
        session = await self.ask(visitor, "POST", "portal-sessions", **about)
        return visitor, session["url"] if session else "/?say=again"

    # -- phone numbers -----------------------------------------------------------------------------------------

    async def send_code(self, visitor: Visitor, form: Form) -> Next:
        """Send a code to a phone number, whether or not an account has it: the answers are the same."""
        visitor.number = form["number"][:32]
        if (number := folded(form["number"])) is None:
            return visitor, "/phone?say=number"
        if not self.codes.allow(number, form["address"]):
            return visitor, "/phone?say=often"
        sent = await self.codes.send(number, lang=form["lang"])
        visitor.code = sent or visitor.code
        return visitor, "/phone" if sent else "/phone?say=unsent"

    async def take_code(self, visitor: Visitor, form: Form) -> Next:
        """Sign the number's user in, or create one, if the code is right.

        Operators give numbers up and sell them again. A shop with something to lose also asks for the password, or
        another proof, when the account was not used for months.
        """
        code, now = visitor.code, self.clock()
        if code is None or not code.usable(now):
            visitor.code = None
            return visitor, "/phone?say=old"
        if not code.proves(form["code"], now=now):
            return visitor, "/phone?say=code"
        user = self.users.with_number(code.number)
        user = user or await self.users.add(masked(code.number), number=code.number)
        return await self.enter(visitor, user, join=bool(form["join"])) if user else (visitor, "/phone?say=full")

    # -- names and passwords -----------------------------------------------------------------------------------

    async def sign_in(self, visitor: Visitor, form: Form) -> Next:
        user = await self.users.with_password(form["name"], form["password"], now=self.clock())
        return await self.enter(visitor, user, join=bool(form["join"])) if user else (visitor, "/login?say=wrong")

    async def sign_up(self, visitor: Visitor, form: Form) -> Next:
        """Create a user, who needs no password if a WeChat was used here."""
        name, password, waiting = form["name"], form["password"], visitor.waiting(self.clock())
        # With a letter no name is a phone number, nor a masked one, which would tell that it has an account.
        fits = len(name) <= 64 and any(letter.isalpha() for letter in name) and (password or waiting)
        if not fits or (user := await self.users.add(name, password=password)) is None:
            return visitor, "/signup?say=taken"
        entered, place = await self.enter(visitor, user, join=bool(form["join"] or not password))
        if place == "/" or password:
            return entered, place
        del self.users.by_id[user.id]  # without a password or WeChat it is unusable
        return visitor, "/signup?say=again"

    # -- sessions ----------------------------------------------------------------------------------------------

    async def enter(self, visitor: Visitor, user: User, *, join: bool) -> Next:
        """Sign *user* in on a new session, and with *join* bind the WeChat that was used here.

        Without *join* it waits on the user's page: another person may have scanned in this browser before.
        """
        scanned, waiting = visitor.scanned, visitor.waiting(self.clock())
        if join and waiting:
            about = {"user_id": user.id, "registration": waiting.registration}
            if await self.ask(visitor, "POST", "bindings", **about):
                scanned = None
        failed = join and scanned is waiting is not None
        return visitor.renewed(user, scanned), "/?say=unconnected" if failed else "/"

    async def sign_out(self, visitor: Visitor, _form: Form) -> Next:
        return visitor.renewed(), "/"

    async def choose_kind(self, visitor: Visitor, form: Form) -> Next:
        """Use the client of another kind of account from now on, in the same session."""
        if form["kind"] in self.scanbind:
            visitor.kind = form["kind"]
        return visitor, "/ways"
