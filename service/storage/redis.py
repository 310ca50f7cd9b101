"""Redis clients for one server, sentinels or a cluster, and a distributed lock. Raises only StoreUnavailable."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.lock import Lock
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisClusterException, RedisError

from models.errors import StoreUnavailable
from service.concurrency.tasks import cancel_and_wait
from service.config.redis_url import nodes
from service.storage.batching import BatchingRedis
from service.storage.reasons import redis_reason

FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""All that redis-py raises if Redis does not answer. RedisClusterException is no RedisError."""

_OPTIONS: Final[dict[str, Any]] = {
    "decode_responses": True,
    "socket_connect_timeout": 1.0,
    "socket_timeout": 1.5,  # a push must be answered within 4.5 s, retry included
}
_POOL: Final = 64
_WAIT: Final = 2
_LEASE: Final = 1.0
"""Seconds after which a lock expires. Its holder renews it four times as often."""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise Redis errors as StoreUnavailable, with the cause chained."""
    try:
        yield
    except FAILURES as e:
        raise StoreUnavailable("Redis does not answer", reason=redis_reason(e)) from e


@asynccontextmanager
async def alone(redis: "Redis | RedisCluster", name: str, *, patience: float) -> AsyncIterator[None]:
    """Hold the distributed lock *name*; after *patience* seconds go on without it, which callers must tolerate.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    lock = Lock(redis, name, timeout=_LEASE, sleep=0.05, blocking_timeout=patience, thread_local=False)
    with redis_errors():
        held = await lock.acquire()
    if not held:
        yield
        return
    renewals: list[asyncio.Task[None]] = []
    released = asyncio.Event()
    # A timer, because most holders are done long before: a task for each would cost more than the lock.
    loop = asyncio.get_running_loop()
    timer = loop.call_later(_LEASE / 4, lambda: renewals.append(loop.create_task(_renew(lock, released))))
    try:
        yield
    finally:
        timer.cancel()
        released.set()  # redis-py may swallow a cancellation, and the next one comes late
        await cancel_and_wait(*renewals)
        with suppress(*FAILURES):  # including LockError: the lock expires by itself
            await lock.release()


async def _renew(lock: Lock, released: asyncio.Event) -> None:
    """Renew *lock* until *released* is set."""
    while not released.is_set():
        with suppress(*FAILURES):  # the next renewal may succeed in time; a lock of another holder is not touched
            await lock.reacquire()
        await asyncio.sleep(_LEASE / 4)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator["Redis | RedisCluster"]:
    """Yield a client of the Redis at *url*. It connects on first use.

    `redis://`, `rediss://` and `unix://` name one server, `redis+sentinel://h1:26379,h2:26379/NAME/DB` the master
    NAME, `redis+cluster://h1:7000,h2:7001` a cluster.
    """
    async with AsyncExitStack() as stack:
        client = _client(url, stack)
        stack.push_async_callback(client.aclose)
        yield client


class _PlacedRetry(Retry):
    """Notes on each error which server it is about: redis-py's own texts name it only at times."""

    def __init__(self, place: str) -> None:
        super().__init__(ExponentialBackoff(cap=0.2, base=0.02), 1)
        self._place = place

    async def call_with_retry(self, *arguments: Any, **options: Any) -> Any:
        try:
            result = await super().call_with_retry(*arguments, **options)
        except FAILURES as error:
            self._note(error)
            raise
        for answer in result if isinstance(result, list) else ():
            if isinstance(answer, RedisError):  # one of a batch (service/storage/batching.py)
                self._note(answer)
        return result

    def _note(self, error: Exception) -> None:
        if not hasattr(error, "__notes__"):
            error.add_note(self._place)


def _client(url: str, stack: AsyncExitStack) -> "Redis | RedisCluster":
    """Create the client; what it needs beside it is closed by *stack*."""
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].rpartition("@")[2]
    options: dict[str, Any] = _OPTIONS | {"retry": _PlacedRetry(place)}
    if scheme == "redis+sentinel":
        watched = nodes(url)
        make: Any = Sentinel  # its constructor is not typed
        sentinels = make(watched.hosts, sentinel_kwargs=_OPTIONS, **watched.arguments)
        stack.push_async_callback(sentinels.aclose)
        master: Redis = sentinels.master_for(watched.name, redis_class=BatchingRedis, **options)
        return master
    if scheme == "redis+cluster":
        cluster = nodes(url)
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in cluster.hosts], **cluster.arguments, **options
        )
    # After a reconnection thousands may read at once: they queue for a connection instead of failing.
    pool = BlockingConnectionPool.from_url(url, max_connections=_POOL, timeout=_WAIT, **options)
    return BatchingRedis.from_pool(pool)
