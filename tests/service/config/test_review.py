"""A service needs a client and an account or an app; with apps alone it starts.

Red when `check_complete` or the doctor demands an account.
"""

from collections.abc import Callable
from typing import Any

from harness import WEBSITE, client, problem

from service.config.review import check_complete
from service.doctor.configuration import check_configuration


async def test_a_service_with_apps_alone_starts_and_takes_no_push(make: Callable[..., Any]) -> None:
    shop = client("shop", accounts=[], apps=["site"], methods=["website"], return_urls=["https://shop.example/"])
    world = await make(official={}, apps={"site": WEBSITE}, clients={"shop": shop})
    check_complete(world.settings)
    assert [it.subject async for it in check_configuration(world.settings)] == ["configuration"]
    assert (await world.call("GET", "/readyz")).status == 200
    assert (await world.call("GET", "/metrics")).status == 200
    await problem(await world.call("POST", "/wechat/main", data=b"<xml/>"), 404, "not-found")
