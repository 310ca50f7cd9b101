"""All endpoints: the operations of every feature, in the order in which the router tries them."""

from collections.abc import Iterator, Sequence
from typing import Final

from aiohttp import web

from handlers import assets, health, openapi, verify_files
from handlers.accounts import routes as accounts
from handlers.bindings import routes as bindings
from handlers.http import cors
from handlers.http.operation import OPERATIONS, CrossOrigin, Operation
from handlers.methods import routes as methods
from handlers.notices import routes as notices
from handlers.pages import routes as pages
from handlers.portal import routes as portal
from handlers.probe import routes as probe
from handlers.sealed_calls import routes as sealed_calls
from handlers.tickets import routes as tickets
from handlers.wechat import routes as wechat
from service.app_keys import SETTINGS

_FEATURES: Final = (
    *tickets.OPERATIONS,
    *bindings.OPERATIONS,
    *accounts.OPERATIONS,
    *sealed_calls.OPERATIONS,
    *methods.OPERATIONS,
    *notices.OPERATIONS,
    *portal.OPERATIONS,
    *wechat.OPERATIONS,
    *pages.OPERATIONS,
    *assets.OPERATIONS,
    *verify_files.OPERATIONS,
    *health.OPERATIONS,
    *probe.OPERATIONS,
    *openapi.OPERATIONS,
)
_PREFLIGHTED: Final = {it.path: it for it in _FEATURES if it.cross_origin is CrossOrigin.CALL}
ALL: Final = (*_FEATURES, *map(cors.preflight_of, _PREFLIGHTED.values()))


def _routes(operations: Sequence[Operation]) -> Iterator[web.RouteDef]:
    """Yield the routes grouped by path: aiohttp puts only adjacent routes of a path into one resource."""
    for path in dict.fromkeys(it.path for it in operations):
        for it in operations:
            if it.path == path:
                yield _route(it, path)


def _route(it: Operation, path: str) -> web.RouteDef:
    return web.RouteDef(it.method, path, it.endpoint, {"allow_head": it.head} if it.method == "GET" else {})


ROUTES: Final = tuple(_routes(ALL))


def install(app: web.Application) -> None:
    """Add all routes to *app* but those of `server.internal`, and store the operations for /openapi.json."""
    apart = bool(app[SETTINGS].server.internal)
    operations = app[OPERATIONS] = tuple(it for it in ALL if not (apart and it.internal))
    app.add_routes(_routes(operations))
    app.add_routes(_route(it, f"{it.path}/") for it in operations if it.slash)
