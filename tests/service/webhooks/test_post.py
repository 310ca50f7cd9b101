"""Posts of webhooks to real receivers: what is sent, and what becomes of each answer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bad_webhooks import KEY, SECRET
from names import Names
from serving import port_of_a_process
from tls import own_certificate
from webhook_receiver import Receiver, Reply, receiving, verified

from service.version import VERSION
from service.webhooks.answer import Answer
from service.webhooks.endpoints import Endpoint
from service.webhooks.post import KEPT, WebhookPost, open_webhook_post
from service.webhooks.signatures import Ed25519Signer, HmacSigner, Signer

BODY = '{"type":"login.completed","data":{"user_id":"用户"}}'.encode()
SIGNER = HmacSigner(SECRET)


@pytest.fixture
async def post() -> AsyncIterator[WebhookPost]:
    """Open a post with patience for a busy machine."""
    async with open_webhook_post() as opened:
        opened.time_limit = 60
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET) as running:
        yield running


def endpoint(url: str, *signers: Signer) -> Endpoint:
    return Endpoint("shop", url, frozenset(), signers or (SIGNER,), allow_private=True)


async def posted(post: WebhookPost, url: str, *signers: Signer) -> Answer:
    return await post.post(endpoint(url, *signers), message_id="msg_1", body=BODY, at=datetime.now(UTC))


async def test_a_receiver_gets_a_signed_event_at_its_url(post: WebhookPost, receiver: Receiver) -> None:
    receiver.reply = Reply(200, body="taken")
    began = int(datetime.now(UTC).timestamp())
    assert await posted(post, receiver.url) == Answer(200, None, None, b"taken")
    (one,) = receiver.received
    assert (one.path, one.body, one.id) == ("/hooks?token=of-the-url", BODY, "msg_1")
    assert began <= int(one.headers["webhook-timestamp"]) <= began + 60
    told = {name: one.headers.get(name) for name in ("Content-Type", "User-Agent", "Accept-Encoding", "Cookie")}
    assert told == {
        "Content-Type": "application/json",
        "User-Agent": f"scanbind/{VERSION}",
        "Accept-Encoding": "identity",
        "Cookie": None,
    }


async def test_each_try_is_signed_for_its_own_time(post: WebhookPost, receiver: Receiver) -> None:
    """Red when a retry sends the first timestamp: receivers refuse those of more than five minutes ago."""
    now = datetime.now(UTC)
    for at in (now - timedelta(minutes=6), now):
        await post.post(endpoint(receiver.url), message_id="msg_1", body=BODY, at=at)
    assert (len(receiver.refused), len(receiver.received)) == (1, 1)


async def test_a_receiver_verifies_with_a_public_key(post: WebhookPost) -> None:
    signer = Ed25519Signer(KEY)
    async with receiving(signer.public_key) as receiver:
        assert (await posted(post, receiver.url, signer)).ok
        assert (await posted(post, receiver.url)).error == "HTTP 401"


async def test_a_receiver_with_either_secret_verifies_while_rotating(
    post: WebhookPost, receiver: Receiver
) -> None:
    other = HmacSigner("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert (await posted(post, receiver.url, other, SIGNER)).ok
    (one,) = receiver.received
    assert verified("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", one, any_time=False)


async def test_connections_are_kept_for_the_next_post(post: WebhookPost, receiver: Receiver) -> None:
    """Red when each post connects anew, or when the endpoint's name is resolved for a connection that is open."""
    names = Names([["127.0.0.1"], []])
    async with open_webhook_post(names) as named:
        for _ in range(3):
            assert (await posted(named, receiver.url.replace("127.0.0.1", "receiver.internal"))).ok
    assert names.asked == ["receiver.internal", "closed"]


async def test_a_failure_is_told_with_its_status_its_pause_and_its_beginning(
    post: WebhookPost, receiver: Receiver
) -> None:
    receiver.reply = Reply(503, {"Retry-After": "7"}, "x" * 5000)
    assert await posted(post, receiver.url) == Answer(503, "HTTP 503", timedelta(seconds=7), b"x" * KEPT)
    receiver.reply = Reply(410)
    assert await posted(post, receiver.url) == Answer(410, "HTTP 410")


@pytest.mark.parametrize(
    ("reply", "error"),
    [(Reply(reset=True), "connection closed"), (Reply(200, cut=True), "answer cut off")],
    ids=["reset", "cut"],
)
async def test_an_answer_that_breaks_off_is_none(
    reply: Reply, error: str, post: WebhookPost, receiver: Receiver
) -> None:
    receiver.reply = reply
    assert await posted(post, receiver.url) == Answer(None, error)


async def test_a_name_without_address_and_a_closed_port_are_told(post: WebhookPost) -> None:
    assert await posted(post, f"http://127.0.0.1:{port_of_a_process()}/") == Answer(None, "connection refused")
    async with open_webhook_post(Names([[]])) as named:
        assert (await posted(named, "http://receiver.internal/")).error == "name not found"


@pytest.mark.parametrize(
    "url", ["http://2130706433/", "http://127.1/", "http://a..b/", "http://[::1/", "http:///", "x", ""]
)
async def test_a_url_that_no_configuration_has_is_no_error(url: str, post: WebhookPost) -> None:
    answer = await posted(post, url)
    assert answer.status is None
    assert answer.error


async def test_a_certificate_must_be_of_the_host_and_trusted(post: WebhookPost, tmp_path: Path) -> None:
    """Red when certificates are not verified."""
    async with receiving(SECRET, tls=own_certificate(tmp_path)) as receiver:
        assert (await posted(post, receiver.url)).error == "TLS: self-signed certificate"
        plain = receiver.url.replace("https", "http")
        assert (await posted(post, plain)).status is None
        assert receiver.received == []


async def test_plain_http_at_an_https_url_is_told(post: WebhookPost, receiver: Receiver) -> None:
    answer = await posted(post, receiver.url.replace("http", "https"))
    assert (answer.error or "").startswith("TLS: ")


async def test_a_cancelled_post_is_cancelled(post: WebhookPost, receiver: Receiver) -> None:
    receiver.reply = Reply(wait=60)
    task = asyncio.create_task(posted(post, receiver.url))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
