"""Bare aiohttp handlers, served like the service: the baseline of the benchmarks."""

import asyncio
import json
import signal
import sys
from typing import Final

from aiohttp import web

ANSWER: Final = web.AppKey("answer", bytes)
WAITING: Final = web.AppKey("waiting", dict[str, "asyncio.Future[bytes]"])


async def poll(request: web.Request) -> web.Response:
    return web.Response(body=request.app[ANSWER], content_type="application/json")


async def unchanged(_: web.Request) -> web.Response:
    return web.Response(status=304)


async def push(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(text="success")


async def wait(request: web.Request) -> web.StreamResponse:
    """Open a stream that waits for a `notify` of its ticket."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    future = request.app[WAITING][request.match_info["ticket"]] = asyncio.get_running_loop().create_future()
    await response.write(await future)
    return response


async def notify(request: web.Request) -> web.Response:
    """Send the body of a push to the stream that waits for its ticket."""
    request.app[WAITING].pop(request.match_info["ticket"]).set_result(await request.read())
    return web.Response(text="success")


def make_app(answer: bytes) -> web.Application:
    app = web.Application()
    app[ANSWER] = answer
    app[WAITING] = {}
    app.add_routes(
        [
            web.get("/poll/{ticket}", poll, allow_head=False),
            web.get("/unchanged/{ticket}", unchanged, allow_head=False),
            web.post("/wechat/{account}", push),
            web.get("/wait/{ticket}", wait, allow_head=False),
            web.post("/notify/{ticket}", notify),
        ]
    )
    return app


async def listen(app: web.Application) -> None:
    """Serve on a free loopback port until SIGTERM, with the service's own options; print the port."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(listen(make_app(sys.argv[1].encode())))
