"""A service needs a client and an account or an app; with apps alone it starts. A setting without effect is told.

Red when `check_complete` or the doctor demands an account, and when `profile` is not compared with the methods.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from harness import ACCOUNT, WEBSITE, client, problem

from service.config.review import cautions, check_complete
from service.doctor.configuration import check_configuration


async def test_a_service_with_apps_alone_starts_and_takes_no_push(make: Callable[..., Any]) -> None:
    shop = client("shop", accounts=[], apps=["site"], methods=["website"], return_urls=["https://shop.example/"])
    world = await make(official={}, apps={"site": WEBSITE}, clients={"shop": shop})
    check_complete(world.settings)
    assert [it.subject async for it in check_configuration(world.settings)] == ["configuration"]
    assert (await world.call("GET", "/readyz")).status == 200
    assert (await world.call("GET", "/metrics")).status == 200
    await problem(await world.call("POST", "/wechat/main", data=b"<xml/>"), 404, "not-found")


@pytest.mark.parametrize(
    ("methods", "oauth", "told"),
    [
        (["scan"], "userinfo", True),
        (["link"], "userinfo", True),
        (["h5"], "base", True),
        (["h5"], "userinfo", False),
        (["scan", "website"], "none", False),
    ],
)
async def test_a_profile_that_no_method_tells_is_a_caution(
    make: Callable[..., Any], methods: list[str], oauth: Any, *, told: bool
) -> None:
    shop = {"apps": ["site"], "methods": methods, "return_urls": ["https://shop.example/"], "profile": True}
    world = await make(
        official={"main": replace(ACCOUNT, oauth=oauth)},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", **shop)},
    )
    assert [one.path for one in cautions(world.settings)] == ["clients.shop.profile"] * told
