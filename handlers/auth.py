"""Who is calling: a site's back end, a page of a site, or whoever holds a ticket's secret (CONTRACT 3)."""

import base64
import binascii
import hmac
from typing import Final

from aiohttp import web

from handlers import cors
from models.errors import ForbiddenOrigin, TicketNotFound, Unauthorized
from models.scene import Head, read_ticket
from models.ticket import READABLE_AFTER
from service.cleaning import parsed_address
from service.keyring import ClientKeys
from service.keys import CLOCK, KEYRING, SETTINGS

_NOBODY: Final = b"\0"
"""What an unknown client's secret is compared with, so that one takes as long as a known client's; never right."""


def back_end(request: web.Request) -> str | None:
    """Return the client whose id and secret the request carries; None if it carries none.

    Raises:
        Unauthorized: what it carries is wrong.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    name, secret = _basic(header)
    client = request.app[SETTINGS].clients.get(name)
    due = client.secret.get_secret_value().encode() if client else _NOBODY
    same = hmac.compare_digest(due, secret)
    if client is None or not same:
        raise Unauthorized("client id or secret is wrong")
    return name


def site(request: web.Request) -> str:
    """Return the client whose back end is calling.

    Raises:
        Unauthorized: there are no credentials, or wrong ones.
    """
    client = back_end(request)
    if client is None:
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    return client


def page(request: web.Request, client_id: str) -> str:
    """Return the client whose page is calling.

    Raises:
        ForbiddenOrigin: the page's origin is missing, or not one of that client's.
    """
    client = request.app[SETTINGS].clients.get(client_id)
    cors.only(request, client.origins if client else ())
    if client is None or request.headers.get("Origin") not in client.origins:
        raise ForbiddenOrigin("this origin is not one of the client's")
    return client_id


def follower(request: web.Request) -> tuple[Head, ClientKeys]:
    """Return the ticket in the address and its client's keys, if the caller holds its secret.

    Raises:
        Unauthorized: there is no bearer secret.
        TicketNotFound: there is no such ticket, it is long over, or the secret is another's.
    """
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        raise Unauthorized("the ticket's secret is needed as a bearer token", scheme="Bearer")
    head = read_ticket(request.match_info["ticket"])
    keys = request.app[KEYRING].whose(head.ticket, secret.strip()) if head else None
    if head is None or keys is None or request.app[CLOCK]() >= head.expires_at + READABLE_AFTER:
        raise TicketNotFound("unknown ticket, or not its secret")
    cors.only(request, request.app[SETTINGS].clients[keys.client].origins)
    return head, keys


def address(request: web.Request) -> str:
    """Return the caller's IP address, past the proxies that are trusted to name it; '' if nobody knows it."""
    trusted = request.app[SETTINGS].server.trusted_proxies
    named = [part.strip() for line in request.headers.getall("X-Forwarded-For", ()) for part in line.split(",")]
    here = parsed_address(request.remote or "")
    while named and here and any(here in network for network in trusted):
        if not (before := parsed_address(named.pop())):
            break  # a proxy that names nobody stands for whoever is behind it
        here = before
    return str(here or "")


def _basic(header: str) -> tuple[str, bytes]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        raise Unauthorized("HTTP Basic with client id and secret is needed")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
        name, _, secret = decoded.partition(b":")
        return name.decode(), secret
    except (binascii.Error, UnicodeError, ValueError) as e:
        raise Unauthorized("the credentials cannot be read") from e
