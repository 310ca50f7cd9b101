"""Builds the rate limits and the quota of QR codes."""

from dataclasses import dataclass

from service.foundation import Foundation
from service.rate_limiting.qr_quota import QrQuota
from service.rate_limiting.rates import RateLimits


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """The rate limits, and the daily quota of QR codes."""

    rates: RateLimits
    quota: QrQuota


def build_limits(base: Foundation) -> UsageLimits:
    """Build the limits; the metrics show how much of the QR quota is used."""
    quota = QrQuota(base.stores.redis, accounts=base.settings.accounts, clock=base.clock)
    quota.show(base.metrics)
    return UsageLimits(RateLimits(base.stores.redis, base.settings.limits), quota)
