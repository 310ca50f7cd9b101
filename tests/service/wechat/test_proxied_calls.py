"""Calls through a forward proxy: by HTTP and by CONNECT, and what is said when it fails.

Red when `exchange` does not use the account's proxy, and when its message does not name it.
"""

import asyncio
import logging
import os
import sys
import traceback
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from forward_proxy import Asked, forward_proxy
from harness import ACCOUNT
from redis.asyncio import Redis
from serving import listening, serving
from tls import own_certificate
from yarl import URL

from models.errors import WeChatUnavailable
from sandbox.app import make_app
from service.wechat.api import WeChatApi
from service.wechat.tokens import TokenCache
from service.wechat.transport import ApiAccount

CODE = {"ticket": "gQH+8", "expire_seconds": 600, "url": "http://weixin.qq.com/q/02abc"}
BASIC = f"Basic {b64encode(b'anna:p@ss/word').decode()}"


async def create(account: ApiAccount, redis: Redis, http: ClientSession) -> str:
    api = WeChatApi(account, tokens=TokenCache(redis, http=http), http=http)
    return (await api.create_qr("bind_x", lifetime=timedelta(minutes=5))).ticket


async def test_calls_go_through_the_proxy_with_its_password(
    account: ApiAccount, redis: Redis, http: ClientSession, wechat: Any
) -> None:
    wechat.script["qrcode/create"] = [CODE]
    async with forward_proxy() as proxy:
        proxied = replace(account, proxy=f"http://anna:p%40ss%2Fword@{proxy.address}")
        assert await create(proxied, redis, http) == "gQH+8"
    base = account.api_base.rstrip("/")
    assert proxy.asked == [
        Asked("POST", f"{base}/cgi-bin/stable_token", BASIC),
        Asked("POST", f"{base}/cgi-bin/qrcode/create?access_token=token-1", BASIC),
    ]
    assert "Proxy-Authorization" not in wechat.asked["stable_token"][0].headers


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "HTTP 407"),
        (b"HTTP/1.1 502 Bad gateway\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>", "HTTP 502"),
        (b"HTTP/1.1 302 Log in\r\nLocation: http://login.example\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"SSH-2.0-OpenSSH_9\r\n", "errcode=None "),
        (b"", "errcode=None "),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_fails_is_named_without_its_password(
    redis: Redis, http: ClientSession, caplog: pytest.LogCaptureFixture, *, answer: bytes, told: str, scheme: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="service")
    async with forward_proxy(refuses=answer) as proxy:
        account = ApiAccount(
            "wx1", "the-secret", f"{scheme}://api.example", f"http://anna:hunter2@{proxy.address}"
        )
        with pytest.raises(WeChatUnavailable) as caught:
            await create(account, redis, http)
    said = caplog.text + "".join(traceback.format_exception(caught.value))
    assert told in said
    assert f", through the proxy {proxy.address}" in said
    assert not any(secret in said for secret in ("hunter2", "the-secret"))


async def test_a_proxy_that_is_not_there_is_named(
    redis: Redis, http: ClientSession, caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    for host in (f"127.0.0.1:{unused_tcp_port}", f"proxy.invalid:{unused_tcp_port}"):
        account = ApiAccount(f"wx{host[0]}", "s", "https://api.example", f"http://anna:hunter2@{host}")
        with pytest.raises(WeChatUnavailable):
            await create(account, redis, http)
        assert f", through the proxy {host}" in caplog.text
    assert "hunter2" not in caplog.text


def test_the_way_names_host_and_port() -> None:
    account = ApiAccount("wx1", "s", proxy="https://anna:hunter2@[2001:db8::1]/")
    assert account.way == ", through the proxy [2001:db8::1]:443"
    assert replace(account, proxy="").way == ""


async def test_https_proxy_of_the_environment_carries_the_calls_of_a_process(tmp_path: Path) -> None:
    """Red as well when the name of the API's host is looked up here: api.weixin.qq.com is only the proxy's."""
    tls = own_certificate(tmp_path, "api.weixin.qq.com")
    async with (
        listening(make_app([ACCOUNT], public_url="http://weixin.qq.com"), tls) as wechat,
        forward_proxy(tunnels_to=URL(wechat)) as proxy,
        ClientSession() as http,
    ):
        variables = {
            "HTTPS_PROXY": f"http://anna:p%40ss%2Fword@{proxy.address}",
            "SSL_CERT_FILE": str(tmp_path / "server.pem"),
            "NO_PROXY": "",
        }
        async with serving(tmp_path, "https://api.weixin.qq.com", variables=variables) as service:
            await service.ready(http)
            await service.login(http)
            assert set(proxy.asked) == {Asked("CONNECT", "api.weixin.qq.com:443", BASIC)}
            doctor = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "doctor", "--config", str(tmp_path / "config.yaml")),
                env={**os.environ, **variables},
                stdout=asyncio.subprocess.PIPE,
            )
            printed, _ = await doctor.communicate()
    said = printed.decode() + service.log.read_text()
    assert f"accounts.main: WeChat issues an access token, through the proxy {proxy.address}" in said
    assert "p%40ss" not in said
    assert "p@ss" not in said
