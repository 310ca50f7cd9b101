"""The addresses, all on one page.

A user id may hold braces, which aiohttp's plain `{name}` does not take.
"""

from typing import Final

from aiohttp import web

from handlers import bindings, callback, cors, exchange, health, openapi, qr, tickets

ROUTES: Final = (
    # What is asked most stands first: aiohttp tries them in order.
    web.get("/v1/tickets/{ticket}", tickets.read, allow_head=False),
    web.delete("/v1/tickets/{ticket}", tickets.cancel),
    web.options("/v1/tickets/{ticket}", cors.preflight),
    web.post("/v1/tickets", tickets.create),
    web.options("/v1/tickets", cors.preflight),
    web.get("/v1/tickets/{ticket}/events", tickets.stream, allow_head=False),
    web.options("/v1/tickets/{ticket}/events", cors.preflight),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.svg", qr.svg),
    web.get("/v1/qr/{capability:[A-Za-z0-9_-]+}.png", qr.png),
    web.post("/v1/exchange", exchange.exchange),
    web.post("/v1/bindings", bindings.create),
    web.get("/v1/bindings/{user_id:[^/]+}", bindings.read),
    web.delete("/v1/bindings/{user_id:[^/]+}", bindings.delete),
    web.get("/wechat/{account}", callback.verify, allow_head=False),
    web.post("/wechat/{account}", callback.receive),
    web.get("/livez", health.live),
    web.get("/readyz", health.ready),
    web.get("/metrics", health.metrics),
    web.get("/openapi.json", openapi.document),
)
