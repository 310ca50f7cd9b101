"""The addresses, all on one page.

A user id may hold braces, which aiohttp's plain `{name}` does not take.
"""

from typing import Final

from aiohttp import web

from handlers import bindings, callback, cors, exchange, health, openapi, pages, portal, portal_pages, qr, tickets

ROUTES: Final = (
    # What is asked most stands first: aiohttp tries them in order.
    web.get("/v1/tickets/{ticket}", tickets.read, allow_head=False),
    web.delete("/v1/tickets/{ticket}", tickets.cancel),
    web.options("/v1/tickets/{ticket}", cors.preflight),
    web.post("/v1/tickets", tickets.create),
    web.options("/v1/tickets", cors.preflight),
    web.get("/v1/tickets/{ticket}/events", tickets.stream, allow_head=False),
    web.options("/v1/tickets/{ticket}/events", cors.preflight),
    web.get("/v1/tickets/{ticket}/code", qr.code, allow_head=False),
    web.options("/v1/tickets/{ticket}/code", cors.preflight),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.svg", qr.svg),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.png", qr.png),
    web.post("/v1/exchange", exchange.exchange),
    web.post("/v1/bindings", bindings.create),
    web.get("/v1/bindings/{user_id:[^/]+}", bindings.read),
    web.delete("/v1/bindings/{user_id:[^/]+}", bindings.delete),
    web.post("/v1/portal-sessions", portal.create),
    web.delete("/v1/portal-sessions", portal.close_all),
    web.get("/v1/portal-sessions/{session}", portal.read, allow_head=False),
    web.delete("/v1/portal-sessions/{session}", portal.close),
    web.options("/v1/portal-sessions/{session}", cors.preflight),
    web.post("/v1/portal-sessions/{session}/open", portal.open_),
    web.options("/v1/portal-sessions/{session}/open", cors.preflight),
    web.post("/v1/portal-sessions/{session}/tickets", portal.bind),
    web.options("/v1/portal-sessions/{session}/tickets", cors.preflight),
    web.delete("/v1/portal-sessions/{session}/bindings/{account}", portal.disconnect),
    web.options("/v1/portal-sessions/{session}/bindings/{account}", cors.preflight),
    # A link may be opened once: HEAD is not offered, for it would be GET.
    web.get("/portal/open/{token}", portal_pages.enter, allow_head=False),
    web.post("/portal/open/{token}", portal_pages.go_on),
    web.get("/portal/{session}", portal_pages.show),
    web.get("/portal.css", portal_pages.style),
    web.get("/portal.svg", portal_pages.icon),
    web.get("/wechat/{account}", callback.verify, allow_head=False),
    web.post("/wechat/{account}", callback.receive),
    web.get("/{script:widget|portal}.js", pages.latest),
    web.get("/{script:widget|portal}-{version:[0-9a-f]+}.js", pages.pinned),
    web.get("/livez", health.live),
    web.get("/readyz", health.ready),
    web.get("/metrics", health.metrics),
    web.get("/openapi.json", openapi.document),
)
