"""Builds what counts requests, scans and QR codes."""

from dataclasses import dataclass

from service.foundation import Foundation
from service.rate_limiting.qr_quota import QrQuota
from service.rate_limiting.rates import RateLimits


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """How often a caller may do what, and how many QR codes WeChat makes in a day."""

    rates: RateLimits
    quota: QrQuota


def build_limits(base: Foundation) -> UsageLimits:
    """Build the limits; the metrics show how much of the QR quota is used."""
    quota = QrQuota(base.stores.redis, accounts=base.settings.accounts, clock=base.clock)
    quota.show(base.metrics)
    return UsageLimits(RateLimits(base.stores.redis, base.settings.limits), quota)
