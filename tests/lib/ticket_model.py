"""A model of tickets that shares no code with the service: plain dictionaries, no store, no message format.

Each step takes what was received (a reply's kind, a status code) and raises Mismatch when that is impossible.
Where a loss of Redis leaves two outcomes possible, what was received decides which the model continues with.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field

NONE, TAP, CHOOSE, MATCH = "none", "tap", "choose", "match"
CONFIRM = {("shop", "login"): CHOOSE, ("shop", "bind"): MATCH, ("club", "login"): NONE, ("club", "bind"): TAP}
LENIENT = {"club"}
"""Clients with `rebind: replace` and `takeover: move`; the others reject both."""

QUESTION, ELSE, OUT, HINT = "question", "scanned by another person", "out of date", "hint"
FINAL = {"confirmed", "rejected", "expired", "cancelled"}
READABLE, CODE_LIVES, REGISTRATION_LIVES, REUSED_WITH_LEFT = 120, 60, 900, 60
REMEMBERED, EARLY = 4, 5


class Mismatch(AssertionError):
    """What was heard is not what must happen."""


def demand(heard: object, *allowed: object) -> None:
    if heard not in allowed:
        raise Mismatch(f"heard {heard!r}, not {' or '.join(map(repr, allowed))}")


@dataclass
class Ticket:
    """One ticket. Times are seconds since 1970; people go by their openid."""

    id: str
    client: str
    purpose: str
    expires: float
    user: str | None = None
    session: str = ""
    state: str | None = None
    status: str = "pending"
    owner: str | None = None
    ended_by: str | None = None
    """Outcome or reason."""
    answered: float = 0
    code: str | None = None
    code_used: bool = False
    code_used_at: float = 0
    void: bool = False
    """Its code was used up, but gave nothing: the binding had ended."""
    registration: str | None = None
    registered_to: str | None = None
    erased: bool = False
    """Its owner has unsubscribed since it ended, so it stores no openid any more."""
    lost: bool = False
    """Redis was lost since it was made: its state may be gone."""
    hazy: bool = False
    """Redis was lost since it was scanned: by whom may be forgotten."""
    match: str | None = None
    offered: tuple[str, ...] = ()
    yes: set[str] = field(default_factory=set)
    not_me: set[str] = field(default_factory=set)

    @property
    def confirm(self) -> str:
        return CONFIRM[self.client, self.purpose]

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def numbers(self) -> set[str]:
        """What a phone could have said to its question."""
        return set(self.offered) if self.confirm == CHOOSE else {self.match or ""} - {""}


@dataclass
class Asked:
    """A scanned code and the question it asked; `confirm: none` asks nothing."""

    ticket: str
    created: int
    doubtful: bool = False
    """They lost a race for the ticket: whether this counts as their newest is not known."""


@dataclass
class Model:
    tickets: dict[str, Ticket] = field(default_factory=dict)
    bindings: dict[str, dict[str, str]] = field(default_factory=lambda: {"shop": {}, "club": {}})
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    followed: dict[str, int] = field(default_factory=dict)
    """When each follower was first met, or last followed: CreateTime, as of all pushes."""
    left: dict[str, int] = field(default_factory=dict)
    """When each person was last known to leave; Redis keeps it."""
    now: float = 0

    def pass_to(self, now: float) -> None:
        self.now = now
        for ticket in self.tickets.values():
            if not ticket.final and now >= ticket.expires:
                ticket.status = "expired"

    # -- phones -------------------------------------------------------------------------------------------------

    def late(self, openid: str, created: int) -> bool:
        """Tell whether a push arrives after its sender unsubscribed, and so has no effect and no reply."""
        return created < self.left.get(openid, 0)

    def scan(self, ticket_id: str, openid: str, created: int, *, followed: bool, heard: str | None) -> None:
        """Take note of a scan; *followed* when it made a follower of the person."""
        if self.late(openid, created):
            demand(heard, None)
            return
        known = self.followed.setdefault(openid, created)
        if followed:
            self.followed[openid] = max(known, created)
        ticket = self.tickets[ticket_id]
        if ticket.hazy and openid != ticket.owner and heard != ELSE:
            ticket.owner, ticket.hazy = None, False
            ticket.status = "pending" if ticket.status == "scanned" else ticket.status
        if ticket.final:
            demand(heard, *self._told(ticket, openid))
            if ticket.confirm == NONE and heard == ticket.ended_by:  # it may be a redelivery
                self._newest(ticket, openid, created, heard)
        elif ticket.owner not in (None, openid):
            demand(heard, ELSE)
        elif ticket.confirm == NONE:  # counts however late it arrives: no question depends on the order
            self._newest(ticket, openid, created, heard)
            self._confirm(ticket, openid)
            demand(heard, *self._told(ticket, openid))
        elif not self._newest(ticket, openid, created, heard):
            demand(heard, OUT)
        else:
            demand(heard, QUESTION)
            ticket.status, ticket.owner, ticket.hazy = "scanned", openid, False

    def _newest(self, ticket: Ticket, openid: str, created: int, heard: str | None) -> bool:
        """Make a scan the person's newest, which closes older questions; False if there is a newer one."""
        known = self.asked.get(openid, [])
        while known and known[0].doubtful and known[0].created > created and heard != OUT:
            known = known[1:]
        if known and known[0].created > created:
            return known[0].ticket == ticket.id
        others = [one for one in known if one.ticket != ticket.id]
        self.asked[openid] = _remembered([Asked(ticket.id, created), *others])
        return True

    def say(self, openid: str, text: str, created: int, *, heard: str | None) -> None:
        before = deepcopy(self.__dict__)
        try:
            self._say(openid, text, created, heard)
        except Mismatch:
            self.__dict__.update(before)
            if not (asked := self.asked.get(openid, [])) or not asked[0].doubtful:
                raise
            asked.pop(0)
            self.say(openid, text, created, heard=heard)

    def _say(self, openid: str, text: str, created: int, heard: str | None) -> None:
        asked = self.asked.get(openid, [])
        there = openid in self.followed and not self.late(openid, created)
        ticket = self.tickets[asked[0].ticket] if asked else None
        there = (
            there and bool(asked) and created >= asked[0].created - EARLY
        )  # else it was said before it was asked
        unsure = there and created < asked[0].created
        answer = self._understood(asked, text, heard, unsure=unsure) if there else None
        if ticket is None or answer is None:
            open_ = there and ticket and ticket.confirm != NONE and not ticket.final
            near = re.search("[0-9]|确认|是我", text) and not re.search(" [0-9A-Z]{4}$", text)
            demand(heard, None, *([HINT] if open_ and near else []))  # once a minute, which is not modelled
        elif ticket.final:
            demand(heard, *self._told(ticket, openid))
        elif ticket.owner not in (None, openid):
            demand(heard, ELSE)
        else:
            if answer == "yes":
                self._confirm(ticket, openid)
            else:
                self._end(ticket, "rejected", answer, openid)
            demand(heard, *self._told(ticket, openid))

    def _understood(self, asked: list[Asked], text: str, heard: str | None, *, unsure: bool) -> str | None:
        newest = self.tickets[asked[0].ticket]
        if text in newest.not_me or (text == "不是我。" and newest.confirm != NONE and not unsure):
            return "declined"
        if newest.confirm == TAP:
            return "yes" if text in newest.yes else None
        if newest.confirm == NONE or not re.fullmatch("[0-9]{2}", text):
            return None
        if text == newest.match and not unsure:
            return "yes"
        if unsure or text not in newest.offered:
            older = [(place, one) for place, one in enumerate(asked) if place and text in self._answers(one)]
            sure = any(place < REMEMBERED and not one.doubtful for place, one in older)
            if sure or (older and heard is None) or (unsure and text not in newest.numbers):
                return None
        return "yes" if text == newest.match else "wrong_number"

    def _answers(self, asked: Asked) -> set[str]:
        ticket = self.tickets[asked.ticket]
        return set() if ticket.confirm in (NONE, TAP) else ticket.numbers

    def _told(self, ticket: Ticket, openid: str) -> set[str]:
        if ticket.status == "cancelled":
            return {OUT}
        if ticket.status == "expired":
            mine = {OUT} if ticket.owner in (None, openid) else {ELSE}
            return mine | {OUT} if ticket.hazy else mine
        mine = {ticket.ended_by or ""} if ticket.owner == openid else {ELSE}
        return mine | {OUT} if ticket.erased else mine

    # -- endings ------------------------------------------------------------------------------------------------

    def _end(self, ticket: Ticket, status: str, ended_by: str | None, owner: str | None) -> None:
        ticket.status, ticket.ended_by, ticket.owner = status, ended_by, owner
        ticket.answered, ticket.hazy = self.now, False

    def _confirm(self, ticket: Ticket, openid: str) -> None:
        if ticket.purpose == "login":
            ticket.user = self._owner(ticket.client, openid)
            self._end(ticket, "confirmed", "login" if ticket.user else "register", openid)
            return
        outcome = self._bind(ticket.client, str(ticket.user), openid, moves=ticket.client in LENIENT)
        self._end(ticket, "rejected" if outcome.endswith("_taken") else "confirmed", outcome, openid)

    def _owner(self, client: str, openid: str) -> str | None:
        return next((user for user, has in self.bindings[client].items() if has == openid), None)

    def _bind(self, client: str, user: str, openid: str, *, moves: bool) -> str:
        users = self.bindings[client]
        holder = self._owner(client, openid)
        if holder == user:
            return "already_bound"
        if holder is not None and not moves:
            return "wechat_taken"
        if user in users and client not in LENIENT:
            return "user_taken"
        users.pop(holder or "", None)
        users[user] = openid
        return "bound"

    def cancel(self, ticket_id: str, *, heard: int) -> None:
        ticket = self.tickets[ticket_id]
        if self.gone(ticket):
            demand(heard, 404)
        elif ticket.final:
            demand(heard, 409)
        else:
            demand(heard, 204)
            self._end(ticket, "cancelled", None, None)

    def gone(self, ticket: Ticket) -> bool:
        return self.now >= ticket.expires + READABLE

    # -- sites --------------------------------------------------------------------------------------------------

    def bind_ticket(
        self, client: str, user: str, session: str, refresh: bool, *, heard: Ticket, status: int
    ) -> None:
        earlier = [
            one
            for one in self.tickets.values()
            if (one.client, one.purpose, one.user, one.session) == (client, "bind", user, session)
            and (not one.final)
        ]
        for one in earlier:
            fresh_enough = one.expires - self.now >= REUSED_WITH_LEFT and not refresh
            if fresh_enough and (one.status == "pending" or (one.hazy and status == 200)):
                demand((status, heard.id), (200, one.id))
                one.status, one.owner, one.hazy = "pending", None, False
                return
        demand(status, 201)
        for one in earlier:
            self._end(one, "cancelled", None, None)
        self.tickets[heard.id] = heard

    def exchange(self, ticket_id: str, client: str, *, heard: str | None) -> None:
        """Take note of an exchange; *heard* is `login` or `register`, None when the code was refused."""
        ticket = self.tickets[ticket_id]
        usable = client == ticket.client and not ticket.code_used and not ticket.erased
        if not usable or self.now >= ticket.answered + CODE_LIVES:
            demand(heard, None)
            return
        ticket.code_used, ticket.code_used_at = True, self.now
        stands = ticket.ended_by == "register" or self.bindings[client].get(str(ticket.user)) == ticket.owner
        ticket.void = not stands
        demand(heard, ticket.ended_by if stands else None)

    def register(self, ticket_id: str, client: str, user: str, *, heard: int | str) -> None:
        """Take note of a registration; *heard* is 200, 201, 400, or why there is a conflict."""
        ticket = self.tickets[ticket_id]
        late = self.now >= ticket.code_used_at + REGISTRATION_LIVES
        if client != ticket.client or ticket.erased or late:
            demand(heard, 400)
        elif ticket.registered_to is not None:
            again = ticket.registered_to == user and self.bindings[client].get(user) == ticket.owner
            demand(heard, 200 if again else 400)
        else:
            outcome = self._bind(client, user, str(ticket.owner), moves=False)
            demand(heard, {"bound": 201, "already_bound": 200}.get(outcome, outcome))
            if not outcome.endswith("_taken"):
                ticket.registered_to = user

    def disconnect(self, client: str, user: str, *, heard: int) -> None:
        demand(heard, 204 if self.bindings[client].pop(user, None) else 404)

    # -- catastrophes -------------------------------------------------------------------------------------------

    def leave(self, openid: str, created: int) -> None:
        """Erase a person who unsubscribed (`unfollow: erase`); nothing if they subscribed again since."""
        self.left[openid] = created
        if self.followed.get(openid, 0) > created:
            return
        self.followed.pop(openid, None)
        for client in self.bindings:
            if user := self._owner(client, openid):
                del self.bindings[client][user]
        self.asked.pop(openid, None)
        for ticket in self.tickets.values():
            ticket.erased |= ticket.owner == openid and ticket.status in ("confirmed", "rejected")
            if ticket.owner == openid and ticket.status in ("scanned", "expired") and not ticket.hazy:
                ticket.owner, ticket.lost = None, True
                ticket.status = "pending" if ticket.status == "scanned" else "expired"

    def lose_redis(self) -> None:
        self.asked.clear()
        self.left.clear()
        for ticket in self.tickets.values():
            ticket.lost = ticket.lost or not ticket.final
            ticket.hazy |= ticket.owner is not None and ticket.status in ("scanned", "expired")

    # -- pages --------------------------------------------------------------------------------------------------

    def shown(self, ticket: Ticket, state: dict[str, object]) -> str | None:
        """Return what is wrong with what a page is shown; None when nothing is."""
        statuses = {ticket.status, "pending"} if ticket.hazy and not ticket.final else {ticket.status}
        if state["status"] not in statuses:
            return f"shown {state['status']}, not {ticket.status}"
        if state["status"] == "pending":
            due: tuple[object, ...] = (None, None)
        else:
            confirmed = ticket.status == "confirmed"
            due = (ticket.ended_by, None) if confirmed else (None, ticket.ended_by)
        if (state["outcome"], state["reason"]) != due:
            return f"shown {state['outcome']}, {state['reason']}, not {due}"
        numbered = state["status"] == "scanned" and ticket.confirm in (CHOOSE, MATCH)
        if (state["match"] is not None) is not numbered or (
            numbered and state["match"] != (ticket.match or state["match"])
        ):
            return f"shown the number {state['match']}, not {ticket.match if numbered else None}"
        return self._wrong_code(ticket, state)

    def _wrong_code(self, ticket: Ticket, state: dict[str, object]) -> str | None:
        redeemable = ticket.status == "confirmed" and ticket.purpose == "login" and not ticket.code_used
        if ticket.erased or ticket.void:
            return None  # no longer of any use, whether shown or not
        if (state["code"] is not None) is not redeemable:
            return f"shown the code {state['code']}"
        if redeemable and ticket.code not in (None, state["code"]):
            return "shown another code than before"
        return None


def _remembered(asked: list[Asked]) -> list[Asked]:
    """Keep the scans that may be among a person's last few; uncertain ones may not count."""
    sure = 0
    for place, one in enumerate(asked):
        sure += not one.doubtful
        if sure == REMEMBERED:
            return asked[: place + 1]
    return asked
