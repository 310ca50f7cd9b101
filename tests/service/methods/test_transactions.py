"""What a sign-in asks of the database until it is committed: a link and a redirect no more than a scan.

Red when a step reads the bind request again, when a link stores the person before they answer, or when the code
of a browser that comes back is read from SQL. Prints the counts.
"""

from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, World, client
from redirecting import BACK, H5, redirecting
from sign_in import Driver, LinkDriver, ScanDriver
from wechat_browser import browsing

from models.confirmation import Answer
from service.app_keys import AUDIT
from service.identities.follower_refresh import FollowerRefresh

Make = Callable[..., Any]
OFFICIAL = {"main": replace(ACCOUNT, oauth="base"), "second": SECOND}


def counting(world: World) -> Counter[str]:
    """Count reads and write transactions, but for the audit log, which gathers the entries of many tickets."""
    counts, audit = Counter[str](), world.app[AUDIT]
    database = audit.database
    audit.database = copy(database)

    def counted(name: str) -> Callable[..., Any]:
        run = getattr(database, name)

        async def call(*args: Any, **how: Any) -> Any:
            counts[name] += 1
            return await run(*args, **how)

        return call

    for name in ("read", "attempt"):
        setattr(database, name, counted(name))
    return counts


@pytest.mark.parametrize("accounts", [["main"], ["main", "second"]], ids=["one account", "two"])
@pytest.mark.parametrize("times", [1, 2], ids=["new", "known"])
@pytest.mark.parametrize("purpose", ["login", "bind"])
async def test_a_link_costs_no_more_transactions_than_a_scan(
    make: Make, monkeypatch: pytest.MonkeyPatch, purpose: str, times: int, accounts: list[str]
) -> None:
    monkeypatch.setattr(FollowerRefresh, "refresh", lambda *_: None)  # in the background, at any time
    shop = client("shop", accounts=accounts, methods=["scan", "link"], confirm="match")
    world = await make(official={name: OFFICIAL[name] for name in accounts}, clients={"shop": shop})
    counts, costs = counting(world), {}
    drivers: tuple[Driver, ...] = (ScanDriver(), LinkDriver())
    for driver in drivers:
        person = await world.person()
        for _ in range(times):
            how = {"method": driver.name}
            page = await (world.login(**how) if purpose == "login" else world.bind(person.id, **how))
            counts.clear()
            await driver.identify(world, person, page)
            await driver.answer(world, person, page, Answer.YES)
            costs[driver.name] = counts.copy()
            assert (await page.poll())["status"] == "confirmed"
    assert costs["link"] <= costs["scan"]


@pytest.mark.parametrize("times", [1, 2], ids=["new", "known"])
@pytest.mark.parametrize("purpose", ["login", "bind"])
async def test_a_redirect_costs_no_more_transactions_than_a_scan(
    make: Make, monkeypatch: pytest.MonkeyPatch, purpose: str, times: int
) -> None:
    """A bind includes its exchange, which commits it."""
    monkeypatch.setattr(FollowerRefresh, "refresh", lambda *_: None)
    shop = {"methods": ["scan", "h5"], "confirm": {"login": "none", "bind": "match"}}
    world, _ = await redirecting(make, H5, **shop)
    counts, costs = counting(world), {}
    for method in ("scan", "h5"):
        person = await world.person()
        for _ in range(times):
            how = {"method": method, "return_url": BACK, "state": "s"}
            page = await (world.login(**how) if purpose == "login" else world.bind(person.id, **how))
            async with browsing(world, person) as browser:
                counts.clear()
                if method == "scan":
                    await world.scan(person, page)
                    if purpose == "bind":
                        await world.say(person, (await page.poll())["match"])
                else:
                    visit = await H5.sign_in(browser, page, person)
                    if purpose == "bind":
                        await world.exchange(visit.answer["code"])
            costs[method] = counts.copy()
            assert (await page.poll())["status"] == "confirmed"
    print(purpose, {method: dict(cost) for method, cost in costs.items()})  # noqa: T201 - a figure to be read
    assert costs["h5"] <= costs["scan"]
