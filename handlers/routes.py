"""The addresses, all on one page.

A user id may hold braces, which aiohttp's plain `{name}` does not take.
"""

from typing import Final

from aiohttp import web

from handlers import assets, health, openapi
from handlers.bindings import bindings
from handlers.http import cors
from handlers.portal import api, pages
from handlers.tickets import exchange, qr_code, status
from handlers.wechat import callback

ROUTES: Final = (
    # What is asked most stands first: aiohttp tries them in order.
    web.get("/v1/tickets/{ticket}", status.read, allow_head=False),
    web.delete("/v1/tickets/{ticket}", status.cancel),
    web.options("/v1/tickets/{ticket}", cors.preflight),
    web.post("/v1/tickets", status.create),
    web.options("/v1/tickets", cors.preflight),
    web.get("/v1/tickets/{ticket}/events", status.stream, allow_head=False),
    web.options("/v1/tickets/{ticket}/events", cors.preflight),
    web.get("/v1/tickets/{ticket}/code", qr_code.code, allow_head=False),
    web.options("/v1/tickets/{ticket}/code", cors.preflight),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.svg", qr_code.svg),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.png", qr_code.png),
    web.post("/v1/exchange", exchange.exchange),
    web.post("/v1/bindings", bindings.create),
    web.get("/v1/bindings/{user_id:[^/]+}", bindings.read),
    web.delete("/v1/bindings/{user_id:[^/]+}", bindings.delete),
    web.post("/v1/portal-sessions", api.create),
    web.delete("/v1/portal-sessions", api.close_all),
    web.get("/v1/portal-sessions/{session}", api.read, allow_head=False),
    web.delete("/v1/portal-sessions/{session}", api.close),
    web.options("/v1/portal-sessions/{session}", cors.preflight),
    web.post("/v1/portal-sessions/{session}/open", api.open_),
    web.options("/v1/portal-sessions/{session}/open", cors.preflight),
    web.post("/v1/portal-sessions/{session}/tickets", api.bind),
    web.options("/v1/portal-sessions/{session}/tickets", cors.preflight),
    web.delete("/v1/portal-sessions/{session}/bindings/{account}", api.disconnect),
    web.options("/v1/portal-sessions/{session}/bindings/{account}", cors.preflight),
    # A link may be opened once: HEAD is not offered, for it would be GET.
    web.get("/portal/open/{token}", pages.enter, allow_head=False),
    web.post("/portal/open/{token}", pages.go_on),
    web.get("/portal/{session}", pages.show),
    web.get("/portal.css", pages.style),
    web.get("/portal.svg", pages.icon),
    web.get("/wechat/{account}", callback.verify, allow_head=False),
    web.post("/wechat/{account}", callback.receive),
    web.get("/{script:widget|portal}.js", assets.latest),
    web.get("/{script:widget|portal}-{version:[0-9a-f]+}.js", assets.pinned),
    web.get("/livez", health.live),
    web.get("/readyz", health.ready),
    web.get("/metrics", health.metrics),
    web.get("/openapi.json", openapi.document),
)
