"""Builds the rate limits, the quota of QR codes and the limit of passcodes."""

from dataclasses import dataclass

from service.foundation import Foundation
from service.rate_limiting.passcode_tries import PasscodeTries
from service.rate_limiting.qr_quota import QrQuota
from service.rate_limiting.rates import RateLimits


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """The rate limits, the daily quota of QR codes, and the tries of passcodes."""

    rates: RateLimits
    quota: QrQuota
    passcodes: PasscodeTries


def build_limits(base: Foundation) -> UsageLimits:
    """Build the limits."""
    quota = QrQuota(base.stores.redis, accounts=base.settings.accounts, clock=base.clock)
    limits = base.settings.limits
    tries = PasscodeTries(base.stores.redis, of_all=limits.passcodes_per_account)
    return UsageLimits(RateLimits(base.stores.redis, limits), quota, tries)
