"""Answers the doctor, which asks through the public address what a proxy changes (docs/adr/0045).

Without a valid token the answer is that of an address that does not exist.
"""

import asyncio
import resource
from importlib.metadata import version
from itertools import islice
from typing import Final

from aiohttp import web

from handlers.http import forwarding
from handlers.http.responses import STREAMED, json_answer
from models.errors import NotFound
from models.ip_address import parsed_address
from service.app_keys import CLOCK, KEYRING, SETTINGS
from service.doctor.probe import ANSWERED, LONGEST_CHAIN, PAUSE, PIECES, SENT, TOKEN, VALID, Sight

_LONGEST: Final = 64


async def look(request: web.Request) -> web.Response:
    """Report what the service saw of this request."""
    _require_token(request)
    transport = request.transport
    peer, port = (*((transport and transport.get_extra_info("peername")) or ("", 0)), 0)[:2]
    server = request.app[SETTINGS].server
    header = forwarding.header_of(request, server)
    sight = Sight(
        version=version("scanbind"),
        at=int(request.app[CLOCK]().timestamp() * 1000),
        segment=request.match_info["segment"][:_LONGEST],
        peer=str(parsed_address(str(peer)) or ""),
        port=port,
        trusted=forwarding.is_trusted(parsed_address(request.remote or ""), server),
        chain=[str(hop.address or "unknown") for hop in islice(forwarding.hops(request, server), LONGEST_CHAIN)],
        header=header,
        others=[name for name in forwarding.HEADERS if name != header and name in request.headers],
        address=str(forwarding.origin(request, server).address or ""),
        https=forwarding.is_https(request, server),
        received=[name for name, value in SENT.items() if request.headers.get(name) == value],
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
    return json_answer(sight, headers=ANSWERED)


async def stream(request: web.Request) -> web.StreamResponse:
    """Send two pieces, a second apart, as the streams of tickets are sent."""
    _require_token(request)
    response = web.StreamResponse(headers=STREAMED)
    await response.prepare(request)
    first, second = PIECES
    await response.write(first)
    await asyncio.sleep(PAUSE)
    await response.write(second)
    return response


def _require_token(request: web.Request) -> None:
    """Check the token of the doctor. Raises NotFound."""
    given, now = request.headers.get(TOKEN, ""), request.app[CLOCK]()
    if not request.app[KEYRING].is_probe(given, now=now, within=VALID):
        raise NotFound
