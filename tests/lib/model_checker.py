"""Performs steps on two services and compares each result with the model."""

import asyncio
import itertools
import json
import sys
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any, Final

import ticket_model as model
from hypothesis.stateful import RuleBasedStateMachine, invariant
from ticket_model import Mismatch, Model, demand
from two_services import Push, Town, kind_of, links_of

from sandbox.people import Contact

SHOWN: Final = {
    *("ticket", "purpose", "method", "status", "match", "outcome", "reason"),
    *("code", "expires_at", "expires_in", "poll_after"),
}
OTHERS: Final = [str(number) for number in range(10, 40)]
PATIENCE: Final = 1.0
"""Seconds a change may take from one process to the other; far more than it does."""


class Witness(RuleBasedStateMachine):
    """The people and sites of one example. `town` is set by the test that runs it."""

    town: Town

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.people: list[Contact] = []
        self.users: list[str] = []
        self.pushes: list[Push] = []
        """Everything that was ever delivered."""
        self.made: dict[str, dict[str, Any]] = {}
        """Each ticket as it was made."""
        self.ended: dict[str, tuple[object, ...]] = {}
        """How each ticket was once seen to have ended."""
        self.touched: set[str] = set()
        """What may have changed since the pages were last looked at."""

    def move_in(self) -> None:
        serial = next(self.town.serial)
        self.users = [f"user{serial}-1", f"user{serial}-安娜@shop.example"]
        self.people = self.run(self.town.begin())

    def run(self, work: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(60):
                return await work

        self._leave_edges()
        return self.town.runner.run(bounded())

    def both(self, one: Awaitable[Any], other: Awaitable[Any]) -> list[Any]:
        """Do two things at once."""

        async def together() -> list[Any]:
            return list(await asyncio.gather(one, other))

        return list(self.run(together()))

    def _leave_edges(self) -> None:
        """Step over every moment at which something is about to end, and stop the clock until the next step.

        The clock follows real time between steps; during one, a slow machine passes no such moment.
        """
        clock = self.town.world.clock
        clock.hold()
        for _ in range(100):
            now = clock.seconds()
            edges = [
                moment
                for ticket in self.model.tickets.values()
                for moment in (
                    ticket.expires,
                    ticket.expires + model.READABLE,
                    ticket.expires - model.REUSED_WITH_LEFT,
                    ticket.answered + model.CODE_LIVES,
                    ticket.code_used_at + model.REGISTRATION_LIVES,
                )
            ]
            if not any(-0.5 < moment - now < 1.5 for moment in edges):
                break
            clock.advance(1)
        self.model.pass_to(clock.seconds())

    # -- what is done -------------------------------------------------------------------------------------------

    def make(self, name: str, body: dict[str, Any]) -> tuple[int, model.Ticket]:
        """Ask for a ticket as a site; return the status and the ticket as the model will have it."""
        status, made = self.run(self.town.site("POST", "/v1/tickets", body, client=name))
        assert status in (200, 201)
        self.made[made["ticket"]] = made
        return status, model.Ticket(
            made["ticket"],
            name,
            made["purpose"],
            self.town.world.clock.seconds() + made["expires_in"],
            user=body.get("user_id"),
            session=body.get("session", ""),
            state=body.get("state"),
        )

    def scanned(self, contact: Contact, ticket: str) -> Push:
        return self.town.scanned(contact, self.made[ticket]["qr_url"])

    def send(self, push: Push) -> None:
        """Deliver a push and hold its effect against the model; again, it has none and the same reply."""
        if push not in self.pushes:
            self.pushes.append(push)
        self.pages_are_shown_what_happened()  # where the number is read off
        again = self.town.losses in push.replies
        reply = self.run(self.town.deliver(push))
        if not again:
            self.note(push, reply)
        elif not self.model.late(push.contact.openid, push.created):
            assert reply == push.replies[self.town.losses]

    def send_both(self, pushes: list[Push]) -> list[str | None]:
        """Deliver two pushes at once; return the replies."""
        self.pushes += pushes
        heard = self.both(*map(self.town.deliver, pushes))
        self.explain(*(self.noting(push, reply) for push, reply in zip(pushes, heard, strict=True)))
        return heard

    async def exchange_code(self, ticket: model.Ticket, name: str) -> str | None:
        """Exchange a ticket's code as a client; return the outcome, None when it is refused."""
        status, told = await self.town.site("POST", "/v1/exchange", {"code": ticket.code}, client=name)
        if status == 400:
            assert told["type"] == "/problems/invalid-code"
            return None
        assert status == 200
        assert (told["openid"], told.get("user_id")) == (ticket.owner, ticket.user)
        assert told["state"] == ticket.state or (told["state"] is None and ticket.lost)
        ticket.registration = told.get("registration", ticket.registration)
        return str(told["outcome"])

    # -- changes of the model -----------------------------------------------------------------------------------

    def note(self, push: Push, reply: str | None, *, on: Model | None = None) -> None:
        """Tell the model what a push did."""
        what, openid, heard = on or self.model, push.contact.openid, kind_of(reply)
        match push.fields:
            case {"Event": "unsubscribe"}:
                demand(heard, None)
                what.leave(openid, push.created)
            case {"Content": text}:
                what.say(openid, str(text), push.created, heard=heard)
            case {"Event": event, "EventKey": key} if key:
                followed = event == "subscribe"
                ticket = self._ticket_of(str(key))
                self.touched.add(ticket)
                if reply and heard == model.QUESTION:
                    self._read_question(what.tickets[ticket], reply)
                what.scan(ticket, openid, push.created, followed=followed, heard=heard)
        self.touched |= {asked.ticket for asked in what.asked.get(openid, [])}

    def _ticket_of(self, key: str) -> str:
        scene = key.removeprefix("qrscene_")
        return next(ticket for ticket in self.model.tickets if scene.startswith(ticket))

    def _read_question(self, ticket: model.Ticket, reply: str) -> None:
        """Remember what would answer; a repeated scan asks the same question."""
        numbers = tuple(link for link in links_of(reply) if link.isdigit())
        *yes, not_me = [link for link in links_of(reply) if not link.isdigit()]
        assert bool(yes) is (ticket.confirm == model.TAP)
        assert len(numbers) == (3 if ticket.confirm == model.CHOOSE else 0)
        assert ticket.offered in ((), numbers)
        assert {one[-4:] for one in ticket.not_me} <= {not_me[-4:]}
        ticket.offered = numbers
        ticket.yes |= set(yes)
        ticket.not_me.add(not_me)

    def noting(self, push: Push, reply: str | None) -> Callable[[Model], None]:
        return lambda what: self.note(push, reply, on=what)

    def explain(self, *effects: Callable[[Model], None]) -> None:
        """Go on with the model in which what happened at once happened in some order."""
        for order in itertools.permutations(effects):
            trial = deepcopy(self.model)
            try:
                for effect in order:
                    effect(trial)
            except Mismatch:
                continue
            self.model = trial
            return
        raise Mismatch("no order of what happened at once explains what was heard")

    # -- what could be said -------------------------------------------------------------------------------------

    def living(self) -> list[model.Ticket]:
        return [ticket for ticket in self.model.tickets.values() if not ticket.final]

    def pick(self, choice: int) -> str:
        """Choose a ticket from the newest on, mostly one that is still open."""
        among = (choice <= 5 and self.living()) or list(self.model.tickets.values())
        return among[-1 - choice % len(among)].id

    def last_question(self, contact: Contact) -> model.Ticket | None:
        """Return the question that was last asked of a person, if its answers are known."""
        asked = self.model.asked.get(contact.openid, [])
        ticket = self.model.tickets[asked[0].ticket] if asked else None
        return ticket if ticket and ticket.not_me and (ticket.match or ticket.yes) else None

    def open_questions(self) -> list[tuple[Contact, model.Ticket]]:
        """Return who of the followers can answer what."""
        asked = [(contact, self.last_question(contact)) for contact in self.people if contact.following]
        return [
            (contact, ticket)
            for contact, ticket in asked
            if ticket and ticket.owner == contact.openid and ticket.status == "scanned"
        ]

    def right(self, ticket: model.Ticket) -> str:
        return min(ticket.yes) if ticket.confirm == model.TAP else str(ticket.match)

    def text(self, contact: Contact, ticket: model.Ticket, kind: str) -> str:
        """Return a text that is `right`, `wrong`, `wild` (and not offered), `older`, or just *kind*.

        `not me` has the ticket's mark, `unmarked` has none.
        """
        older = [self.model.tickets[one.ticket] for one in self.model.asked[contact.openid][1:]]
        theirs = sorted(set().union(*(one.numbers | one.yes | one.not_me for one in older)))
        wrong = [one for one in (*ticket.offered, *OTHERS) if one not in (ticket.match, *theirs)]
        texts = {
            "right": self.right(ticket),
            "wrong": wrong[0],
            "wild": next(one for one in wrong if one not in ticket.offered),
            "not me": min(ticket.not_me),
            "unmarked": "不是我。",
            "older": theirs[0] if theirs else "47 7",
        }
        return texts.get(kind, kind)

    # -- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def pages_are_shown_what_happened(self) -> None:
        touched, self.touched = self.touched & set(self.model.tickets), set()
        if touched:
            self.run(self._look(touched))

    async def _look(self, tickets: set[str]) -> None:
        for ticket in sorted(tickets):
            await self._settled(self.model.tickets[ticket])

    async def _settled(self, ticket: model.Ticket) -> None:
        """Poll until the page is shown what the model says; the other process may be a moment behind."""
        until = asyncio.get_running_loop().time() + PATIENCE
        while (wrong := await self._poll(ticket)) is not None:
            if asyncio.get_running_loop().time() > until:
                raise Mismatch(f"{ticket}: {wrong}")
            await asyncio.sleep(0.01)

    async def _poll(self, ticket: model.Ticket) -> str | None:
        bearer = {"Authorization": f"Bearer {self.made[ticket.id]['secret']}"}
        answer = await self.town.call("GET", f"/v1/tickets/{ticket.id}", headers=bearer)
        if self.model.gone(ticket):
            return None if answer.status == 404 else "still shown"
        body = await answer.text()
        assert answer.status == 200, body
        state = json.loads(body)
        assert set(state) == SHOWN
        for secret in (*(contact.openid for contact in self.people), *self.users):
            assert secret not in body
        end = (state["status"], state["outcome"], state["reason"])
        if state["status"] in model.FINAL:
            assert self.ended.setdefault(ticket.id, end) == end
        if (wrong := self.model.shown(ticket, state)) is None:
            ticket.match = ticket.match or state["match"]
            ticket.code = ticket.code or state["code"]
        return wrong

    def teardown(self) -> None:
        if sys.exc_info()[0] or not self.people:
            return
        self.run(self._look(set(self.model.tickets)))
        self.run(self._bindings())
        for ticket in self.model.tickets.values():
            self.town.seen[f"{ticket.confirm} {ticket.status}"] += 1

    async def _bindings(self) -> None:
        for name, users in self.model.bindings.items():
            for user in self.users:
                _, told = await self.town.site("GET", f"/v1/bindings/{user}", client=name)
                assert [one["openid"] for one in told["bindings"]] == ([users[user]] if user in users else [])
