"""Erasure and export of a person with several identities.

Red when `SubjectRequests` erases one identity of several, an unsubscribe more than one, or separations stay.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redirecting as entering
from arriving import arrive, redirecting
from harness import ACCOUNT, CORP, SECOND, WEBSITE, World, client
from linking import asked, linking
from redirecting import BACK, WECOM
from wechat_browser import browsing

from models.audit import AuditEvent
from models.events import OpenId
from models.tables.bindings import bindings, separations
from models.tables.identities import followers
from sandbox.people import Person
from service.app_keys import AUDIT
from service.cli.main import main
from service.identities.followers import Authorized
from service.storage.database import connect

ACCOUNTS = {"main": replace(ACCOUNT, open_platform="acme"), "second": replace(SECOND, open_platform="acme")}


class Town:
    """A service with a person who is bound by two accounts, and was disconnected from one at another site."""

    def __init__(self, world: World, person: Person) -> None:
        self.world, self.person = world, person

    @property
    def openid(self) -> str:
        return self.world.sandbox.contact(self.person, account=ACCOUNT.appid).openid

    async def counts(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        async with (
            connect("embedded", data_dir=self.world.settings.data_dir) as database,
            database.reading() as sql,
        ):
            tables = (followers, bindings, separations)
            return {table.name: len((await sql.execute(table.select())).all()) for table in tables}

    async def privacy(self, *command: str) -> int:
        config = str(self.world.settings.data_dir / "config.yaml")
        return await asyncio.to_thread(main, ["privacy", *command, "--config", config])


@pytest.fixture
async def town(make: Callable[..., Any]) -> Town:
    clients = {name: client(name, accounts=[*ACCOUNTS]) for name in ("shop", "club")}
    world: World = await make(official=ACCOUNTS, clients=clients)
    person = await world.person()
    for site, account in (("shop", "main"), ("club", "main"), ("shop", "second"), ("club", "second")):
        page = await world.bind("42", client=site, account=account)
        await world.scan(person, page)
        assert (await page.poll())["outcome"] == "bound"
    assert (await world.site("DELETE", "/v1/bindings/42?account=second", client="club")).status == 204
    town = Town(world, person)
    assert await town.counts() == {"followers": 2, "bindings": 3, "separations": 1}
    return town


async def test_a_person_is_erased_with_all_identities(town: Town) -> None:
    assert await town.privacy("erase", "--openid", town.openid, "--yes") == 0
    assert await town.counts() == {"followers": 0, "bindings": 0, "separations": 0}


async def test_a_user_is_erased_with_all_identities_that_no_other_user_has(town: Town) -> None:
    assert await town.privacy("erase", "--user", "42", "--client", "shop", "--yes") == 0
    assert await town.counts() == {"followers": 1, "bindings": 1, "separations": 0}, "the club has one still"


async def test_a_user_is_erased_with_the_identities_that_are_bound_no_more(town: Town) -> None:
    assert (await town.world.site("DELETE", "/v1/bindings/42?account=second")).status == 204
    assert await town.privacy("erase", "--user", "42", "--client", "shop", "--yes") == 0
    assert await town.counts() == {"followers": 1, "bindings": 1, "separations": 0}, "of the club's account"


async def test_one_account_can_be_erased_alone_as_by_an_unsubscribe(town: Town) -> None:
    assert await town.privacy("erase", "--openid", town.openid, "--account", "main", "--yes") == 0
    assert await town.counts() == {"followers": 1, "bindings": 1, "separations": 1}
    await town.world.sandbox.unfollow(town.person, account=SECOND.appid)
    assert await town.counts() == {"followers": 0, "bindings": 0, "separations": 0}


async def test_an_export_has_all_identities_and_no_inner_number(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await town.privacy("export", "--openid", town.openid) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["account"] for one in told["people"]] == ["main", "second"]
    assert [(one["client"], one["account"]) for one in told["bindings"]] == [
        ("shop", "main"),
        ("club", "main"),
        ("shop", "second"),
    ]
    assert [one["client"] for one in told["separations"]] == ["club"]
    inner = {"id", "person", "follower_id", "primary_of", "primary_in", "open_platform"}
    assert not inner & {
        name for table in ("people", "bindings", "separations") for row in told[table] for name in row
    }


async def test_a_person_of_an_app_is_exported_and_erased(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Red when `_names` leaves out apps, where the person of an audit entry is not stored any more."""
    shop = client("shop", apps=["site"], methods=["website"], return_urls=[BACK])
    world: World = await make(apps={"site": WEBSITE}, clients={"shop": shop})
    town, [known, gone] = Town(world, await world.person()), [OpenId("oKnown-in-app"), OpenId("oErased-in-app")]
    await arrive(world, await redirecting(world, "site"), Authorized("site", known, "u-1"))
    world.app[AUDIT].note(AuditEvent.SCANNED, client="shop", account="site", openid=gone)
    await world.app[AUDIT].flush()
    assert await town.privacy("export", "--openid", known) == 0
    [person] = json.loads(capsys.readouterr().out)["people"]
    assert (person["account"], person["appid"], person["unionid"]) == ("site", WEBSITE.appid, "u-1")
    assert (person["subscribed"], person["followed_at"]) == (False, None)
    for openid in (known, gone):
        assert await town.privacy("erase", "--openid", openid, "--yes") == 0
        assert await town.privacy("export", "--openid", openid) == 1


async def test_a_member_and_an_outsider_are_exported_and_erased_by_their_own_names(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Red when `with_openid`, `_names` or `named` know one form of an openid alone, or a userid is not folded."""
    world, member = await entering.redirecting(make, WECOM, app={"outsiders": "allow"})
    town, outsider, enterprises = Town(world, member), await world.person(), world.authorization.enterprises
    enterprises.enroll(member, "Anna.Li")
    enterprises.dismiss(outsider)
    for person in (member, outsider):
        page = await world.login(method="wecom", return_url=BACK, state="s")
        async with browsing(world) as browser:
            assert (await WECOM.sign_in(browser, page, person)).answer["code"]
    await world.app[AUDIT].flush()
    known = {"userid": ("anna.LI", "anna.li"), "openid": (outsider.openid(CORP.corpid),) * 2}
    for option, (asked_for, name) in known.items():
        capsys.readouterr()
        other = "openid" if option == "userid" else "userid"
        assert await town.privacy("export", f"--{option}", asked_for) == 0
        told = json.loads(capsys.readouterr().out)
        [person], [ending] = told["people"], told["endings"]
        assert [(one[option], one[other]) for one in (person, ending)] == [(name, None)] * 2
        assert {entry["openid"] for entry in told["record"]} == {told["subject"][option]}
        assert [ticket["openid"] for ticket in told["redis"]["tickets"]] == [name]
        assert await town.privacy("erase", f"--{option}", asked_for, "--account", "site", "--yes") == 0
        assert await town.privacy("export", f"--{option}", asked_for) == 1
    assert [key for key in await world.redis.keys("scanbind:d:*") if "{site:" in key] == []
    assert await town.privacy("export", "--userid", ".x") == 2


async def test_a_member_whose_userid_is_a_word_of_the_service_is_erased_alone(make: Callable[..., Any]) -> None:
    """Red when `_names` compares all values of a record: each visit contains the name of its client."""
    world, member = await entering.redirecting(make, WECOM)
    town, other = Town(world, member), await world.person()
    world.authorization.enterprises.enroll(member, "shop")
    pages = [await world.login(method="wecom", return_url=BACK, state="s") for _ in range(2)]
    async with browsing(world) as browser, browsing(world) as theirs:
        assert (await WECOM.sign_in(browser, pages[0], member)).answer["code"]
        await theirs.open(pages[1].made["authorize_url"])
        assert await town.privacy("erase", "--userid", "shop", "--yes") == 0
        visit = await theirs.allow(other)
    assert (await world.exchange(visit.answer["code"])).status == 200


async def test_a_user_who_is_erased_is_in_no_visit_to_wechat(make: Callable[..., Any]) -> None:
    """Red when `_names` does not look for the ticket in the record, or not in the key."""
    world, member = await entering.redirecting(make, WECOM)
    page = await world.bind("42", method="wecom", return_url=BACK, state="s")
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        assert len(await world.redis.keys("scanbind:[rw]:*")) == 2
        assert await Town(world, member).privacy("erase", "--user", "42", "--yes", "--client", "shop") == 0
    assert await world.redis.keys("scanbind:[rw]:*") == []


async def test_the_ticket_of_another_enterprises_member_is_neither_exported_nor_erased(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Red when `_scanned` or `_names` does not compare the account, or `_check_enterprise` does not ask for it.

    Userids are unique in one enterprise alone.
    """
    shop = client("shop", apps=["site", "other"], methods=["wecom"], return_urls=[BACK])
    world: World = await make(apps={"site": CORP, "other": WECOM.second}, clients={"shop": shop})
    town, pages = Town(world, await world.person()), []
    for account, corpid in (("site", CORP.corpid), ("other", WECOM.second.corpid)):
        person = await world.person()
        world.authorization.enterprises.enroll(person, "anna", corpid=corpid)
        page = await world.bind(account, method="wecom", account=account, return_url=BACK, state="s")
        async with browsing(world) as browser:
            assert (await WECOM.sign_in(browser, page, person)).answer["code"]
        pages.append(page)
    assert await town.privacy("erase", "--userid", "anna", "--yes") == 2, "they are two people"
    assert "--account: is missing" in capsys.readouterr().err
    assert await town.privacy("export", "--userid", "anna", "--account", "site") == 0
    found = json.loads(capsys.readouterr().out)["redis"]
    assert [ticket["id"] for ticket in found["tickets"]] == [pages[0].id]
    assert [key for key, value in found["keys"].items() if '"account":"other"' in value] == []
    assert await town.privacy("erase", "--userid", "anna", "--account", "site", "--yes") == 0
    assert [(await page.poll())["status"] for page in pages] == ["pending", "scanned"]


async def test_a_person_who_is_asked_on_a_page_is_exported_and_erased(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Red when `_find` looks at keys alone: those of browsers that went to WeChat contain no openid."""
    world = await linking(make)
    town = Town(world, await world.person())
    async with asked(await world.bind("42"), town.person) as browser:
        assert await town.privacy("export", "--openid", town.openid) == 0
        found = json.loads(capsys.readouterr().out)["redis"]["keys"]
        [kept] = [key for key in found if key.startswith("scanbind:w:")]
        assert town.openid in str(await world.redis.get(kept))
        assert await town.privacy("erase", "--openid", town.openid, "--yes") == 0
        assert await world.redis.keys("scanbind:w:*") == []
        assert (await browser.submit(answer="47")).status == 403
