"""Checks each Redis server: role, eviction, memory, persistence, cluster, version and clock."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from service.doctor.clocks import clock_finding
from service.doctor.finding import Finding

Facts = Mapping[str, Any]
"""The INFO of a server, with `appendfsync` and `save` of its configuration if it shows them."""

_OLDEST: Final = (6, 2)
"""The oldest Redis whose faults are still repaired."""
_FULL: Final = 0.9
"""The share of maxmemory from which on the finding is a warning."""
_SETTINGS: Final = ("appendfsync", "save")


async def read_servers(client: "Redis | RedisCluster") -> dict[str, Facts]:
    """Return the facts of the server, or of each primary of a cluster, by its place.

    Raises the errors of the client.
    """
    if isinstance(client, Redis):
        return {"": await _facts(client)}
    await client.initialize()
    return {node.name: await _facts(client, target_nodes=node) for node in client.get_primaries()}


async def _facts(client: Any, **to: Any) -> Facts:
    """Return the facts of one server; *to* names the node of a cluster."""
    facts: dict[str, Any] = dict(await client.info(**to))
    with suppress(ResponseError):  # hosted servers forbid CONFIG
        for name in _SETTINGS:
            facts |= await client.config_get(name, **to)
    if to:
        facts |= await client.cluster_info(**to)
    seconds, microseconds = await client.time(**to)
    return facts | {"clock_off": time.time() - seconds - microseconds / 1_000_000}


def server_findings(place: str, facts: Facts, *, clustered: bool) -> Iterator[Finding]:
    """Yield the findings about one server; *place* is empty if there is only one."""
    subject = f"redis {place}".strip()
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "of unknown version")
    yield Finding(True, subject, f"{name} {version} answers")
    yield from _role(subject, facts, clustered=clustered)
    yield from _eviction(subject, facts)
    yield from _persistence(subject, facts)
    if _version(facts) < _OLDEST:
        message = f"{name} {version} is too old: faults of it are no longer repaired"
        yield Finding(None, subject, message, "upgrade to Valkey 8 or Redis 7.2")
    yield from clock_finding(subject, facts.get("clock_off", 0.0))


def _version(facts: Facts) -> tuple[int, ...]:
    """Return the version of Redis that the server has or is compatible with."""
    return tuple(int(part) for part in str(facts.get("redis_version", "6.2")).split(".")[:2] if part.isdecimal())


def _role(subject: str, facts: Facts, *, clustered: bool) -> Iterator[Finding]:
    if facts.get("role") == "slave":
        message = f"is a replica of {facts.get('master_host')}:{facts.get('master_port')}, which takes no writes"
        yield Finding(False, subject, message, "set redis.url to the primary, or to redis+sentinel://")
    if facts.get("cluster_enabled") and not clustered:
        message = "is a node of a cluster, and redis.url is the address of a single server"
        yield Finding(False, subject, message, "set redis.url to redis+cluster://HOST:PORT,HOST:PORT")
    if facts.get("cluster_state") not in (None, "ok"):
        message = f"its cluster does not work: cluster_state is {facts['cluster_state']}"
        yield Finding(False, subject, message, "see CLUSTER INFO: start the nodes that are missing")


def _eviction(subject: str, facts: Facts) -> Iterator[Finding]:
    most, used = facts.get("maxmemory", 0), facts.get("used_memory", 0)
    if (policy := facts.get("maxmemory_policy", "noeviction")) != "noeviction":
        when = "when memory is full" if most else "once a maxmemory is set"
        message = f"maxmemory-policy is {policy}: tickets may be evicted {when}"
        yield Finding(None, subject, message, "set maxmemory-policy to noeviction")
    if most and used > _FULL * most:
        message = f"uses {used / most:.0%} of its maxmemory; when it is full, every new login is refused"
        yield Finding(None, subject, message, "raise maxmemory, or lower limits.tickets_per_client")


def _persistence(subject: str, facts: Facts) -> Iterator[Finding]:
    if not facts.get("aof_enabled"):
        lost = "what it wrote after its last snapshot is" if facts.get("save") else "scans in progress are"
        message = f"appendonly is off: {lost} lost when it restarts"
        yield Finding(None, subject, message, "set appendonly to yes")
    elif facts.get("appendfsync") == "no":
        message = "appendfsync is no: what was written in half a minute may be lost in a power failure"
        yield Finding(None, subject, message, "set appendfsync to everysec")
    if facts.get("aof_last_write_status", "ok") != "ok":
        message = "it cannot write its append-only file, so it refuses every write"
        yield Finding(False, subject, message, "make room on its disk; its log has the reason")
    if facts.get("rdb_last_bgsave_status", "ok") != "ok":
        message = "it could not write its last snapshot, and may refuse every write"
        yield Finding(False, subject, message, "check its disk and folder; its log has the reason")
