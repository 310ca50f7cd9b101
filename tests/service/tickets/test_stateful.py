"""Random histories of tickets on real stores match a model.

The model stands in tests/lib/ticket_model.py. HYPOTHESIS_PROFILE=long searches without end, differently each time;
the default run is the same each time.

Covers: service.tickets.build, service.tickets.code_exchange, service.tickets.factory, service.tickets.issuer,
service.tickets.method, service.tickets.status.
"""

import asyncio
import os
from pathlib import Path
from typing import Final

import pytest
import ticket_model as model
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from model_checker import Witness
from two_services import Push, found, kind_of

from sandbox.people import Contact
from service.app_keys import FEED

LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SEARCH: Final = settings(
    max_examples=1000 if LONG else 12,
    stateful_step_count=80 if LONG else 50,
    derandomize=not LONG,
)
NOISE: Final = ("hello", "4", "123", "确认", "Yes ZZZZ", "9 9")
KIND: Final = st.sampled_from(["right"] * 4 + ["wrong", "wild", "not me", "unmarked", "older", *NOISE])
SITE: Final = st.sampled_from(["shop", "club"])
PERSON: Final = st.integers(0, 2)
USER: Final = st.integers(0, 1)
TICKET: Final = st.integers(0, 7)
LATER: Final = st.sampled_from([False] * 5 + [True])


class Tickets(Witness):
    """What people, pages and sites do, and what befalls them.

    A rule that finds nothing to work on makes it: what can be chosen must not depend on who won a race.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Push] = []
        """Made, and still on their way."""

    @initialize()
    def open_shop(self) -> None:
        self.move_in()
        self.start_login("shop", "opaque")
        self.start_login("club", None)
        self.start_bind("shop", 0, "", refresh=False)
        self.start_bind("club", 1, "s1", refresh=False)

    # -- pages and sites ----------------------------------------------------------------------------------------

    @rule(name=SITE, state=st.sampled_from([None, "opaque"]))
    def start_login(self, name: str, state: str | None) -> None:
        body = {"purpose": "login"} | ({"state": state} if state else {})
        status, ticket = self.make(name, body)
        assert status == 201
        self.model.tickets[ticket.id] = ticket
        self.touched.add(ticket.id)

    @rule(name=SITE, user=USER, session=st.sampled_from(["", "s1"]), refresh=st.booleans())
    def start_bind(self, name: str, user: int, session: str, refresh: bool) -> None:
        body = {"purpose": "bind", "user_id": self.users[user], "session": session, "refresh": refresh}
        status, ticket = self.make(name, body)
        self.model.bind_ticket(name, self.users[user], session, refresh, heard=ticket, status=status)
        self.touched |= set(self.model.tickets)

    @rule(ticket=TICKET)
    def cancel(self, ticket: int) -> None:
        chosen = self.pick(ticket)
        status = self.run(self.town.cancel(chosen, self.made[chosen]["secret"]))
        self.model.cancel(chosen, heard=status)
        self.touched.add(chosen)

    @rule(name=SITE, user=USER)
    def disconnect(self, name: str, user: int) -> None:
        status, _ = self.run(self.town.site("DELETE", f"/v1/bindings/{self.users[user]}", client=name))
        self.model.disconnect(name, self.users[user], heard=status)

    # -- phones -------------------------------------------------------------------------------------------------

    def _send(self, push: Push, *, later: bool = False) -> None:
        if later:
            self.held.append(push)
        else:
            self.send(push)

    @rule(person=PERSON, ticket=TICKET, later=LATER)
    def scan(self, person: int, ticket: int, later: bool) -> None:
        self._send(self.scanned(self.people[person], self.pick(ticket)), later=later)

    def _question(self, person: int) -> tuple[Contact, model.Ticket]:
        """Return an open question of that person; if there is none, they are asked one now."""
        contact = self.people[person]
        for _ in range(5):  # it may lapse while it is asked
            if mine := [one for one in self.open_questions() if one[0] is contact]:
                return mine[0]
            self.start_login("shop", None)
            self.scan(person, 0, later=False)
            self.pages_are_shown_what_happened()  # where the number is read off
        raise AssertionError("no question can be asked")

    @rule(person=PERSON, kind=KIND, later=LATER)
    def answer(self, person: int, kind: str, later: bool) -> None:
        contact, ticket = self._question(person)
        self._send(self.town.said(contact, self.text(contact, ticket, kind)), later=later)

    @rule(person=PERSON, ticket=TICKET, kind=KIND)
    def scan_and_answer(self, person: int, ticket: int, kind: str) -> None:
        self.scan(person, ticket, later=False)
        self.pages_are_shown_what_happened()
        self.answer_the_last_question(person, kind)

    @rule(person=PERSON, name=SITE, login=st.booleans(), user=USER, kind=KIND)
    def log_in_or_bind(self, person: int, name: str, login: bool, user: int, kind: str) -> None:
        """What people do most of the time."""
        if login:
            self.start_login(name, None)
        else:
            self.start_bind(name, user, "", refresh=True)
        self.scan_and_answer(person, 0, kind)

    @rule(person=PERSON, kind=KIND)
    def answer_the_last_question(self, person: int, kind: str) -> None:
        """Answer in any state of the ticket; a plain chat message if no question was asked."""
        contact = self.people[person]
        ticket = self.last_question(contact)
        if contact.following:
            self.send(self.town.said(contact, self.text(contact, ticket, kind) if ticket else NOISE[0]))

    @rule(person=PERSON, name=SITE, login=st.booleans(), user=USER)
    def answer_an_older_question(self, person: int, name: str, login: bool, user: int) -> None:
        self.log_in_or_bind(person, name, login=login, user=user, kind=NOISE[0])
        self.log_in_or_bind(person, "shop", login=True, user=0, kind="older")

    @rule(person=PERSON)
    def scan_anothers_before_answering(self, person: int) -> None:
        """Scan another person's QR code: no question about it, and one's own question stays open."""
        _, anothers = self._question((person + 1) % 3)
        contact, own = self._question(person)
        self.send(self.scanned(contact, anothers.id))
        self.send(self.town.said(contact, self.right(own)))

    @rule(person=PERSON, kind=KIND)
    def scan_before_the_answer_arrives(self, person: int, kind: str) -> None:
        """Answer one question, scan another code; only then the answer comes through."""
        contact, answered = self._question(person)
        late = self.town.said(contact, self.text(contact, answered, kind))
        self.start_login("shop", None)
        self.scan(person, 0, later=False)
        self.send(late)

    @rule(person=PERSON, kind=KIND)
    def scan_arrives_after_a_newer_one(self, person: int, kind: str) -> None:
        self.start_login("shop", None)
        late = self.scanned(self.people[person], self.pick(0))
        self.log_in_or_bind(person, "shop", login=True, user=0, kind=NOISE[0])
        self.send(late)
        self.answer_the_last_question(person, kind)

    @rule()
    def deliver_what_was_held(self) -> None:
        if self.held:
            self.send(self.held.pop(0))

    @rule(back=st.integers(0, 9))
    def redeliver(self, back: int) -> None:
        if self.pushes:
            self.send(self.pushes[-1 - back % len(self.pushes)])

    @rule(person=PERSON)
    def unfollow(self, person: int) -> None:
        if self.people[person].following:
            self.send(self.town.left(self.people[person]))

    @rule(person=PERSON, ticket=TICKET, back=st.booleans())
    def leave_and_be_overtaken(self, person: int, ticket: int, back: bool) -> None:
        """Scan, leave and perhaps come *back*; the pushes arrive the other way round."""
        contact = self.people[person]
        if not contact.following:
            return
        before = self.scanned(contact, self.pick(ticket))
        unfollow = self.town.left(contact)
        if back:
            self.send(self.scanned(contact, self.pick(ticket)))
        self.send(unfollow)
        self.send(before)

    # -- at once ------------------------------------------------------------------------------------------------

    @rule(ticket=TICKET, first=PERSON)
    def two_phones_at_once(self, ticket: int, first: int) -> None:
        chosen = self.pick(ticket)
        two = [self.people[first], self.people[(first + 1) % 3]]
        sent = [self.scanned(contact, chosen) for contact in two]
        decided = self.model.tickets[chosen].final
        for push, reply in zip(sent, self.send_both(sent), strict=True):
            # Who came second may have scanned their newest code before the first one's scan was known.
            if kind_of(reply) == model.ELSE and not decided:
                known = self.model.asked.setdefault(push.contact.openid, [])
                known.insert(0, model.Asked(chosen, push.created, doubtful=True))
        self.touched.add(chosen)

    @rule()
    def two_answers_at_once(self) -> None:
        asked = [self._question(person) for person in (0, 1)]
        self.send_both([self.town.said(contact, self.right(ticket)) for contact, ticket in asked])

    @rule(person=PERSON, head_start=st.integers(0, 8))
    def cancel_and_confirm_at_once(self, person: int, head_start: int) -> None:
        """Both at once; the answer is some milliseconds ahead, for a cancellation has less to do."""
        contact, ticket = self._question(person)
        push = self.town.said(contact, self.right(ticket))
        self.pushes.append(push)
        cancelling = self.town.cancel(ticket.id, self.made[ticket.id]["secret"], after=head_start / 1000)
        status, reply = self.both(cancelling, self.town.deliver(push))
        self.explain(lambda what: what.cancel(ticket.id, heard=status), self.noting(push, reply))
        self.touched.add(ticket.id)
        self.town.seen[f"cancel against confirm: {status}"] += 1

    # -- codes --------------------------------------------------------------------------------------------------

    def _with_code(self) -> list[model.Ticket]:
        """Return the tickets whose page was ever shown a code, after making one if there are none."""
        if not any(ticket.code for ticket in self.model.tickets.values()):
            self.log_in_or_bind(0, "club", login=True, user=0, kind="right")
            self.pages_are_shown_what_happened()
        return [ticket for ticket in self.model.tickets.values() if ticket.code]

    @rule(back=st.integers(0, 3), name=SITE, own=LATER)
    def exchange(self, back: int, name: str, own: bool) -> None:
        able = self._with_code()
        ticket = able[-1 - back % len(able)]
        name = name if own else ticket.client
        self.model.exchange(ticket.id, name, heard=self.run(self.exchange_code(ticket, name)))
        self.touched.add(ticket.id)

    @rule()
    def exchange_twice_at_once(self) -> None:
        ticket = self._with_code()[-1]
        heard = self.both(*(self.exchange_code(ticket, ticket.client) for _ in range(2)))
        self.explain(*(lambda what, h=h: what.exchange(ticket.id, ticket.client, heard=h) for h in heard))
        self.touched.add(ticket.id)

    @rule(back=st.integers(0, 3), user=USER)
    def register(self, back: int, user: int) -> None:
        if not (able := [ticket for ticket in self.model.tickets.values() if ticket.registration]):
            return
        ticket = able[-1 - back % len(able)]
        body = {"user_id": self.users[user], "registration": ticket.registration}
        status, told = self.run(self.town.site("POST", "/v1/bindings", body, client=ticket.client))
        heard = told["reason"] if status == 409 else status
        self.model.register(ticket.id, ticket.client, self.users[user], heard=heard)
        self.town.seen[f"registration {heard}"] += 1

    # -- mishaps ------------------------------------------------------------------------------------------------

    @rule(cut=st.booleans())
    def lose_redis(self, cut: bool) -> None:
        self.run(self.town.lose_redis(cut=cut))
        self.model.lose_redis()
        self.touched |= set(self.model.tickets)

    @rule(seconds=st.sampled_from([5, 5, 20, 20, 70, 70, 200, 320, 650]))
    def pass_time(self, seconds: int) -> None:
        self.town.world.clock.advance(seconds)
        self.touched |= set(self.model.tickets)

    @rule(which=st.integers(0, 1))
    def forget(self, which: int) -> None:
        """One process starts anew: what it remembered is gone."""
        self.town.write(f"service {which} forgets")
        self.town.apps[which][FEED]._cache.clear()
        self.touched |= set(self.model.tickets)


@pytest.mark.timeout(3600 if LONG else 300)
def test_random_histories_of_tickets_match_the_model(redis_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        town = runner.run(found(redis_url, tmp_path, runner))
        try:
            run_state_machine_as_test(type("TicketsInTown", (Tickets,), {"town": town}), settings=SEARCH)
        except BaseException as e:
            e.add_note("\n".join(town.diary))
            raise
        finally:
            runner.run(town.stack.aclose())
    for confirm in (model.NONE, model.TAP, model.CHOOSE, model.MATCH):
        assert town.seen[f"{confirm} confirmed"], town.seen
