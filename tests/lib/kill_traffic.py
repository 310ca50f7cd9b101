"""Visitors of two sites, who scan, answer, log in and register while the service is killed again and again.

Each visit keeps what it was told. kill_checks.py compares that with the database and the service's answers.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import ticket_model as model
from aiohttp import ClientError, ClientSession, ClientTimeout
from harness import basic
from redelivery import Push, Sender
from two_services import kind_of, links_of

from sandbox.emulator import Sandbox
from sandbox.people import Contact

ENDINGS = {"bound", "register", "login", "declined"}
CODE_LIVES = 60
"""Seconds from the confirmation (contract.md 4), which is not before the first scan."""


class Answer(NamedTuple):
    """What a site was answered."""

    status: int
    told: dict[str, Any]
    sure: bool
    """No earlier try had an unknown result."""


@dataclass(slots=True)
class Visit:
    """One ticket, and the person who scans it."""

    site: str
    purpose: str
    user: str
    contact: Contact = field(repr=False)
    expected: str
    """How the ticket ends, if it ends."""
    ticket: str = ""
    secret: str = ""
    began: float = field(default_factory=time.monotonic)
    told: str | None = None
    """The ending that a reply told, so that WeChat sends nothing again."""
    code: str | None = None
    exchanged: bool = False
    """An exchange of the code was answered with 200."""
    exchange_unsure: bool = False
    registered: bool = False
    """The registration was answered."""
    registration_unsure: bool = False

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


@dataclass(slots=True)
class Traffic:
    """What a visitor does is drawn from the seed and the visitor's number; `url` changes with each restart."""

    http: ClientSession
    sandbox: Sandbox
    seed: int
    url: str = ""
    ended: bool = False
    sender: Sender = field(init=False)
    visits: list[Visit] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.sender = Sender(self.http, lambda: f"{self.url}/wechat/main")

    async def run(self) -> None:
        """Send one visitor after the other, until `ended`."""
        while not self.ended:
            number = next(self._numbers)
            await self._visitor(number, Random(f"{self.seed} {number}"))

    async def _visitor(self, number: int, rng: Random) -> None:
        person = await self.sandbox.create_user(f"Person {number}", language="en")
        contact, user = self.sandbox.contact(person), f"user-{number}"
        site, binds = rng.choice(("shop", "club")), rng.random() < 0.6
        declines = site == "club" and rng.random() < 0.15
        expected = "declined" if declines else "bound" if binds else "register"
        visit = Visit(site, "bind" if binds else "login", user, contact, expected)
        await self._visit(visit, rng)
        if visit.told == "bound" and rng.random() < 0.4:
            await self._visit(Visit(site, "login", user, contact, "login"), rng)

    async def _visit(self, visit: Visit, rng: Random) -> None:
        body = {"purpose": visit.purpose}
        if visit.purpose == "bind":
            body |= {"user_id": visit.user, "session": visit.user}
        made = (await self.site("POST", "/v1/tickets", body, visit)).told
        visit.ticket, visit.secret = made["ticket"], made["secret"]
        self.visits.append(visit)
        async with asyncio.TaskGroup() as duplicates:
            while visit.told is None:
                await self._scan(visit, made["qr_url"], rng, duplicates)
                if visit.told is None and rng.random() < 0.3:
                    return  # given up: nothing was told
            if visit.told in ("login", "register") and rng.random() < 0.8:
                await asyncio.sleep(rng.choice((0, rng.uniform(0, 3))))
                await self._exchange(visit)

    async def _scan(self, visit: Visit, qr_url: str, rng: Random, duplicates: asyncio.TaskGroup) -> None:
        """Scan the code and answer the question, if it is asked."""
        scan = self.sender.scan(visit.contact, self.sandbox.code(qr_url))
        if not await self._delivered(scan, rng, duplicates):
            return
        heard = kind_of(scan.reply)
        if heard == model.QUESTION:
            if (text := await self._answer_to(scan, visit)) is None:
                return
            answer = self.sender.text(visit.contact, text)
            if not await self._delivered(answer, rng, duplicates):
                return
            heard = kind_of(answer.reply)
            if heard is None and scan.losses != self.sender.losses:
                return  # Redis was lost, and with it the question: the person scans again
        assert heard == visit.expected, f"{visit} was told {heard!r}"
        visit.told = heard

    async def _delivered(self, push: Push, rng: Random, duplicates: asyncio.TaskGroup) -> bool:
        if rng.random() < 0.15:
            duplicates.create_task(self._again(push, rng.uniform(0, 0.02)))
        acknowledged = await self.sender.deliver(push, rng)
        if rng.random() < 0.3:
            duplicates.create_task(self._again(push, rng.uniform(0, 4)))
        return acknowledged

    async def _again(self, push: Push, after: float) -> None:
        await asyncio.sleep(after)
        await self.sender.send(push)

    async def _answer_to(self, scan: Push, visit: Visit) -> str | None:
        """Return what the person sends; None if the page shows no number."""
        links = links_of(scan.reply or "")
        if visit.expected == "declined":
            return links[-1]
        if visit.purpose == "bind":  # `tap`
            return links[0]
        shown = await self.status(visit)
        asked = shown["status"] != "pending"
        assert asked or scan.losses != self.sender.losses, f"{visit}: the question is lost"
        return str(shown["match"]) if shown["match"] else None

    async def _exchange(self, visit: Visit) -> None:
        """Exchange the code; register the person who is not known yet."""
        visit.code = (await self.status(visit))["code"]
        assert visit.code, f"{visit} has no code, though nothing has exchanged it"
        visit.exchange_unsure = True  # until it is answered
        status, told, sure = await self.exchange(visit)
        visit.exchanged, visit.exchange_unsure = status == 200, not sure
        if not visit.exchanged:
            late = time.monotonic() - visit.began > CODE_LIVES
            assert status == 400, told
            assert late or not sure, f"{visit}: its first exchange was refused"
            return
        assert told["outcome"] == visit.expected
        if visit.expected == "register":
            body = {"user_id": visit.user, "registration": told["registration"]}
            visit.registration_unsure = True
            status, told, sure = await self.site("POST", "/v1/bindings", body, visit)
            assert status == 201 or (status == 200 and not sure), told
            visit.registered = True

    async def exchange(self, visit: Visit) -> Answer:
        return await self.site("POST", "/v1/exchange", {"code": visit.code}, visit)

    async def status(self, visit: Visit) -> dict[str, Any]:
        answer = await self.call("GET", f"/v1/tickets/{visit.ticket}", headers=visit.bearer)
        assert answer.status == 200, f"{visit}: {answer}"
        return answer.told

    async def site(self, method: str, path: str, body: Any, visit: Visit) -> Answer:
        return await self.call(method, path, json=body, headers=basic(visit.site))

    async def call(self, method: str, path: str, **how: Any) -> Answer:
        """Call the service until it answers, as its callers do."""
        for tries in itertools.count():
            with suppress(ClientError, TimeoutError, ConnectionError):
                request = self.http.request(method, self.url + path, timeout=ClientTimeout(10), **how)
                async with request as response:
                    if response.status != 503:
                        told = await response.json() if response.content_length else {}
                        return Answer(response.status, told, sure=not tries)
            await asyncio.sleep(0.1)
        raise AssertionError("counted to the end")
