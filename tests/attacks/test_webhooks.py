"""Attacks by receivers and name servers of sites: red when one reaches the private network or holds the service.

The URL is the operator's to write, but a name leads where its owner's name server says at that moment.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from bad_webhooks import SECRET
from names import Names, internet
from webhook_receiver import Receiver, Reply, receiving

from service.webhooks.answer import Answer
from service.webhooks.endpoints import Endpoint
from service.webhooks.post import KEPT, WebhookPost, open_webhook_post
from service.webhooks.signatures import HmacSigner

PRIVATE = Answer(None, "private address")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET) as running:
        yield running


async def posted(post: WebhookPost, url: str, *, allow_private: bool = False) -> Answer:
    endpoint = Endpoint("shop", url, frozenset(), (HmacSigner(SECRET),), allow_private)
    return await post.post(endpoint, message_id="msg_1", body=b"{}", at=datetime.now(UTC))


def at_shop(receiver: Receiver) -> str:
    return receiver.url.replace("127.0.0.1", "shop.example")


async def test_a_name_that_is_rebound_to_a_private_address_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the name is resolved again between check and connection, or when a check is kept."""
    names = Names([["1.1.1.1"], ["127.0.0.1"]])
    connected = internet(monkeypatch)
    receiver.replies = [Reply(headers={"Connection": "close"})]
    async with open_webhook_post(names) as post:
        assert (await posted(post, at_shop(receiver))).ok
        assert await posted(post, at_shop(receiver)) == PRIVATE
    assert (connected, len(receiver.received)) == (["1.1.1.1"], 1)
    assert names.asked == ["shop.example", "shop.example", "closed"]


@pytest.mark.parametrize(
    "ips",
    [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["10.0.0.1", "1.1.1.1"], ["100.64.0.1"], ["0.0.0.0"], ["::1"],
     ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["fd00::1"], ["fe80::1%1"], ["169.254.169.254"]],
    ids=",".join,
)  # fmt: skip
async def test_a_name_with_a_private_address_is_never_connected_to(
    ips: list[str], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = internet(monkeypatch)
    async with open_webhook_post(Names([ips])) as post:
        assert await posted(post, at_shop(receiver)) == PRIVATE
    assert (connected, receiver.received) == ([], [])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::1%25lo]", "0x7f.1", "localhost"])
async def test_no_spelling_of_this_machine_is_connected_to(
    host: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when addresses in the URL are not checked: aiohttp asks no resolver about them."""
    connected = internet(monkeypatch)
    async with open_webhook_post() as post:
        assert await posted(post, receiver.url.replace("127.0.0.1", host)) == PRIVATE
    assert (connected, receiver.received) == ([], [])


METADATA = ["169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
            "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]  # fmt: skip


@pytest.mark.parametrize("ip", METADATA)
async def test_cloud_metadata_is_refused_to_an_endpoint_that_may_be_private_as_well(
    ip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = internet(monkeypatch)
    async with open_webhook_post(Names([[ip]])) as post:
        assert await posted(post, "http://metadata.internal/", allow_private=True) == PRIVATE
        literal = f"[{ip}]" if ":" in ip else ip
        assert await posted(post, f"http://{literal}/latest/meta-data", allow_private=True) == PRIVATE
    assert connected == []


async def test_a_connection_into_the_private_network_serves_no_other_endpoint(receiver: Receiver) -> None:
    """Red when both kinds of endpoints share their connections: the second would not be checked at all."""
    async with open_webhook_post(Names([["127.0.0.1"]])) as post:
        assert (await posted(post, at_shop(receiver), allow_private=True)).ok
        assert await posted(post, at_shop(receiver)) == PRIVATE
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int, receiver: Receiver) -> None:
    receiver.reply = Reply(status, {"Location": "/elsewhere"})
    async with open_webhook_post() as post:
        assert await posted(post, receiver.url, allow_private=True) == Answer(status, "redirect")
    assert len(receiver.received) == 1


async def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when one is: it would resolve the name by itself."""
    async with receiving(SECRET) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with open_webhook_post() as post:
            assert (await posted(post, receiver.url, allow_private=True)).ok
    assert (len(receiver.received), proxy.received, proxy.refused) == (1, [], [])


async def test_no_cookie_is_kept(receiver: Receiver) -> None:
    receiver.reply = Reply(headers={"Set-Cookie": "a=b; Path=/"})
    async with open_webhook_post(Names([["127.0.0.1"]])) as post:
        for _ in range(2):
            await posted(post, at_shop(receiver), allow_private=True)
    assert [one.headers.get("Cookie") for one in receiver.received] == [None, None]


async def test_a_body_without_end_is_read_no_further_than_64_kib(receiver: Receiver) -> None:
    """Red when all of it is read, or the connection stays open."""
    receiver.reply = Reply(500, endless=True)
    async with open_webhook_post() as post:
        answer = await posted(post, receiver.url, allow_private=True)
        await receiver.wait_for_end()
    assert answer == Answer(500, "HTTP 500", None, b"x" * KEPT)


@pytest.mark.parametrize("reply", [Reply(wait=60), Reply(200, drip=True)], ids=["silent", "dripping"])
async def test_a_slow_receiver_is_given_up(reply: Reply, receiver: Receiver) -> None:
    """Red when each byte that comes extends the time."""
    receiver.reply = reply
    async with asyncio.timeout(30), open_webhook_post() as post:
        post.time_limit = 1
        assert await posted(post, receiver.url, allow_private=True) == Answer(None, "no answer within 20 s")


async def test_a_name_that_never_resolves_holds_neither_its_own_post_nor_another(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet(monkeypatch)
    async with asyncio.timeout(30), open_webhook_post(Names([None, ["1.1.1.1"]])) as post:
        hanging = [asyncio.create_task(posted(post, "http://slow.example/")) for _ in range(5)]
        await asyncio.sleep(0)
        assert (await posted(post, at_shop(receiver))).ok
        post.time_limit = 0.1
        assert (await posted(post, "http://slow.example/")).error == "no answer within 20 s"
        for one in hanging:
            one.cancel()
        await asyncio.wait(hanging)


async def test_a_compressed_answer_stays_compressed(receiver: Receiver) -> None:
    """Red when it is unpacked: a few KiB can become a hundred MiB."""
    packed = gzip.compress(b"x" * 100_000, mtime=0).decode("latin-1")
    receiver.reply = Reply(
        200, {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=latin-1"}, packed
    )
    async with open_webhook_post() as post:
        answer = await posted(post, receiver.url, allow_private=True)
    assert answer.body == packed.encode("latin-1")[:KEPT]


@pytest.mark.parametrize(
    "raw",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99999, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"",
     b"HTTP/1.1 99999999999 OK\r\n\r\n",
     b"HTTP/1.1 503 No\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["no HTTP", "bad length", "long header", "bad chunk", "nothing", "bad status", "bad pause", "never more"],
)  # fmt: skip
async def test_a_broken_answer_is_a_failure_and_no_error(raw: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, open_webhook_post() as post:
        port = server.sockets[0].getsockname()[1]
        assert not (await posted(post, f"http://127.0.0.1:{port}/", allow_private=True)).ok
