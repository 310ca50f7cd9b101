"""Drives a way to sign in as a person with a phone does. Each method has one driver; one suite runs them all."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from harness import ACCOUNT, MINI, Page, World, client
from mini_program_phone import Phone
from wechat_browser import Browser, browsing

from models.confirmation import Answer
from sandbox.people import Person


class Driver(Protocol):
    """What people do with one method. Tickets ask for the page's number (`confirm: match`) unless changed."""

    name: str

    def configuration(self, **changes: Any) -> dict[str, Any]:
        """Return the configuration of a world with the client `shop`, which offers this method."""

    async def identify(self, world: World, person: Person, page: Page) -> str | None:
        """Use what the page shows, so that the service learns who the person is; return what they are told."""

    async def answer(
        self, world: World, person: Person, page: Page, answer: Answer, *, match: str | None = None
    ) -> str | None:
        """Answer the question that `identify` opened, rightly or wrongly; return what the person is told.

        *match* is the page's number, if it does not show it any more.
        """


class ScanDriver:
    """The code of an Official Account: scanned with WeChat, answered in its chat."""

    name = "scan"

    def configuration(self, **changes: Any) -> dict[str, Any]:
        return {"clients": {"shop": client("shop", **({"confirm": "match"} | changes))}}

    async def identify(self, world: World, person: Person, page: Page) -> str | None:
        return await world.scan(person, page)

    async def answer(
        self, world: World, person: Person, page: Page, answer: Answer, *, match: str | None = None
    ) -> str | None:
        shown = match or (await page.until("scanned"))["match"]
        said = {
            Answer.YES: shown,
            Answer.NOT_ME: "Not me",
            Answer.WRONG_NUMBER: "10" if shown != "10" else "11",
        }
        return await world.say(person, said[answer])


class PasscodeDriver(ScanDriver):
    """A code that the page shows: sent to the account's chat, and answered there."""

    name = "passcode"

    def configuration(self, **changes: Any) -> dict[str, Any]:
        return super().configuration(methods=["passcode"], **changes)

    async def identify(self, world: World, person: Person, page: Page) -> str | None:
        return await world.say(person, page.made["passcode"])


@dataclass
class LinkDriver:
    """An address of the service: opened inside WeChat, answered on its page."""

    name: str = "link"
    _browsers: dict[tuple[str, str], Browser] = field(default_factory=dict)

    def configuration(self, **changes: Any) -> dict[str, Any]:
        shop = {"confirm": "match", "methods": ["link"]} | changes
        return {"official": {"main": replace(ACCOUNT, oauth="base")}, "clients": {"shop": client("shop", **shop)}}

    async def identify(self, world: World, person: Person, page: Page) -> str | None:
        async with browsing(world, person) as browser:
            self._browsers[page.id, person.id] = browser
            return (await browser.open(page.made["qr_url"])).text

    async def answer(
        self, world: World, person: Person, page: Page, answer: Answer, *, match: str | None = None
    ) -> str | None:
        shown = match or (await page.until("scanned"))["match"]
        fields = {
            Answer.YES: [shown],
            Answer.NOT_ME: ["", "no"],
            Answer.WRONG_NUMBER: ["10" if shown != "10" else "11"],
        }
        async with browsing(world, person, again=self._browsers[page.id, person.id]) as browser:
            return (await browser.submit(answer=fields[answer])).text


@dataclass
class MiniProgramDriver:
    """A mini program's code: it asks, and the answer is sent with what it was given."""

    name: str = "miniprogram"
    _phones: dict[tuple[str, str], Phone] = field(default_factory=dict)

    def configuration(self, **changes: Any) -> dict[str, Any]:
        shop = {"confirm": "match", "accounts": [], "apps": ["mini"], "methods": ["miniprogram"]} | changes
        return {"apps": {"mini": MINI}, "clients": {"shop": client("shop", **shop)}}

    async def identify(self, world: World, person: Person, page: Page) -> str | None:
        phone = self._phones[page.id, person.id] = Phone(world, person)
        told = await phone.scan(page)
        return str(told.get("question") or told["detail"])

    async def answer(
        self, world: World, person: Person, page: Page, answer: Answer, *, match: str | None = None
    ) -> str | None:
        shown = match or (await page.until("scanned"))["match"]
        wrong = "10" if shown != "10" else "11"
        said = {Answer.YES: shown, Answer.NOT_ME: "no", Answer.WRONG_NUMBER: wrong}
        told = await self._phones[page.id, person.id].answer(said[answer])
        return str(told.get("text") or told["detail"])


DRIVERS: tuple[Driver, ...] = (ScanDriver(), PasscodeDriver(), LinkDriver(), MiniProgramDriver())
