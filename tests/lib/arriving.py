"""Confirms tickets as people whom a web authorization named, without asking WeChat."""

from typing import Any

from harness import Page, World

from models.method import Method
from models.scene import Kind, Scene, read_ticket
from models.ticket import Ending
from service.app_keys import KEYRING, PUSH_DISPATCHER, TICKET_ISSUER
from service.identities.followers import Authorized


async def redirecting(world: World, account: str) -> Page:
    """Make a login ticket of the client `shop` whose browser is sent to the website app *account*."""

    async def meanwhile(_: object) -> None:
        pass

    how: dict[str, Any] = {"kind": Kind.LOGIN_BACKEND, "lang": None, "meanwhile": meanwhile}
    issued = await world.app[TICKET_ISSUER].factory.make("shop", method=Method.WEBSITE, account=account, **how)
    return Page(world, {"ticket": issued.head.ticket, "secret": issued.secret}, 201)


async def arrive(world: World, page: Page, arrival: Authorized) -> Ending:
    """Confirm a page's ticket as a person whom a web authorization named."""
    head, scans = read_ticket(page.id), world.app[PUSH_DISPATCHER].scans
    assert head
    context = await scans.verifier.verify(Scene(head), account=arrival.account, openid=arrival.openid, lang=None)
    assert context
    assert context.usable
    ticket = await scans.ticket_status.read_afresh(head)
    ending, _ = await scans.completion.confirm_arrival(context, ticket, arrival)
    await scans.completion.projection.show(ending, known=ticket)
    return ending


def code(world: World, ending: Ending) -> str:
    """Return the login code of a confirmed ticket of the client `shop`."""
    assert ending.openid
    return world.app[KEYRING].newest("shop").code(ending.ticket, ending.openid, ending.answered_at)
