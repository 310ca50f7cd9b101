"""A world whose clients have webhooks, and what their receivers heard."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from harness import Page, World, client
from openapi_document import validate_webhook
from webhook_receiver import Received, Receiver

from sandbox.people import Person

SECRET: Final = "whsec_b2YgdGhlIHRlc3RzLCBhbmQgbG9uZyBlbm91Z2gu"
OTHER: Final = "whsec_YW5vdGhlciBvZiB0aGUgdGVzdHMsIGxvbmcgZW5vdWdo"
Make = Callable[..., Any]


def webhook(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    """Return the settings of an endpoint at *receiver*."""
    return {"url": receiver.url, "secret": receiver.keys[0], "allow_private": True, **changes}


async def hooked(
    make: Make, *receivers: Receiver, shop: Mapping[str, Any] | None = None, **settings: Any
) -> World:
    """Start a world whose shop has an endpoint at each receiver; *shop* changes the client."""
    clients = {"shop": client("shop", **{"webhooks": [webhook(one) for one in receivers], **(shop or {})})}
    world: World = await make(**{"clients": clients, **settings})
    return world


async def heard(world: World, receiver: Receiver, number: int) -> list[Any]:
    """Wait for *number* webhooks; check that no other came and each is as /openapi.json describes; return all."""
    received = list(await receiver.wait_for(number))
    assert len(received) == number, shown(received)
    assert receiver.refused == []
    document = await (await world.call("GET", "/openapi.json")).json()
    for one in received:
        validate_webhook(document, one.payload)
    return [one.payload for one in received]


def shown(received: Sequence[Received]) -> list[tuple[str, str | None]]:
    """Return type and user of each."""
    return [(one.payload["type"], one.payload["data"].get("user_id")) for one in received]


def types(payloads: Sequence[Any]) -> list[str]:
    return [one["type"] for one in payloads]


async def registered(world: World, person: Person, user_id: str, *, name: str = "shop") -> None:
    """Let a person who is not bound log in and register."""
    page = await world.login(client=name)
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    told = await (await world.exchange(code, client=name)).json()
    body = {"user_id": user_id, "registration": told["registration"]}
    assert (await world.site("POST", "/v1/bindings", body, client=name)).status == 201


async def logged_in(world: World, person: Person, *, name: str = "shop") -> Page:
    """Let a bound person log in, up to the exchange; return the page."""
    page = await world.login(client=name)
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    told = await (await world.exchange(code, client=name)).json()
    assert told["outcome"] == "login"
    return page
