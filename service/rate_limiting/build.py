"""Builds what counts requests, scans and codes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis, RedisCluster

from service.config.settings import Settings
from service.observability.metrics import Metrics
from service.rate_limiting.qr_quota import QrQuota
from service.rate_limiting.rates import RateLimits


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """How often somebody may do what, and how many codes WeChat makes in a day."""

    rates: RateLimits
    quota: QrQuota


def build_limits(
    settings: Settings, redis: "Redis | RedisCluster", *, metrics: Metrics, clock: Callable[[], datetime]
) -> UsageLimits:
    """Build the limits; *metrics* show how much of the quota is used."""
    quota = QrQuota(redis, accounts=settings.accounts, clock=clock)
    quota.show(metrics)
    return UsageLimits(RateLimits(redis, settings.limits), quota)
