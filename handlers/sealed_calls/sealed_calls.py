"""Runs a sealed call of a back end, and seals its answer (contract.md 9)."""

from aiohttp import web
from yarl import URL

from handlers.http import authentication, request_body
from handlers.http.authentication import CLIENT, CLIENT_OR_PAGE, JOSE
from handlers.http.middleware import frame
from handlers.http.operation import Operation, adapter
from handlers.http.responses import NO_STORE
from handlers.sealed_calls.inner_request import InnerRequest
from handlers.sealed_calls.schemas import SealedCall
from models.errors import InvalidRequest, NotFound
from service.app_keys import USED_CALLS
from service.crypto.sealing import Opened


async def call(request: web.Request, opened: Opened) -> web.StreamResponse:
    """Run the call in a compact JWE, as one of the client that sealed it; seal its answer with the same key."""
    wanted = request_body.parse(opened.plaintext, adapter(SealedCall))
    url = URL(wanted.path, encoded=True).with_query(wanted.query or None)
    inner = InnerRequest(request, wanted.method, url, wanted.body or {})
    operation = await _operation(request.app, inner)
    if wanted.body and operation.body is None:
        raise InvalidRequest(f"body: must be empty for {operation.method} {operation.path}")
    await request.app[USED_CALLS].use(opened.client, wanted.jti, issued_at=wanted.iat)
    authentication.prove_by_seal(inner, opened.client)
    return _sealed(await frame(inner, operation.endpoint), opened, wanted.jti)


async def _operation(app: web.Application, inner: InnerRequest) -> Operation:
    """Return the endpoint of *inner*.

    Raises:
        NotFound, HTTPNotFound: none for back ends has this address.
        HTTPMethodNotAllowed: it has another method.
    """
    operation = await inner.route(app)
    if operation is None or operation.caller not in (CLIENT, CLIENT_OR_PAGE):
        raise NotFound("path: no call for back ends has this address")
    if operation.method != inner.method:  # HEAD has no answer that could be sealed
        raise web.HTTPMethodNotAllowed(inner.method, [operation.method])
    return operation


def _sealed(response: web.StreamResponse, opened: Opened, jti: str) -> web.StreamResponse:
    """Return *response* sealed; unchanged if it is a problem or has no body."""
    match response:
        case web.Response(status=204) | web.Response(content_type="application/problem+json"):
            return response
        case web.Response(content_type="application/json", body=bytes() as body):
            plaintext = b'{"jti":"%b","body":%b}' % (jti.encode(), body)
            sealed = opened.seal(plaintext)
            return web.Response(text=sealed, status=response.status, content_type=JOSE, headers=NO_STORE)
    raise TypeError("an answer of another kind cannot be sealed")
