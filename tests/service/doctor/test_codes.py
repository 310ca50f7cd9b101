"""How much of the day's quota of QR codes was used, from stores of every kind."""

from pathlib import Path
from typing import Any

import pytest
from config_files import ACCOUNT
from redis.asyncio import Redis

from models.errors import WeChatUnavailable
from models.ticket import Purpose
from service.config.settings import Settings, validate
from service.doctor.finding import Finding
from service.doctor.redis import check_redis
from service.rate_limiting.qr_quota import QrQuota
from service.server.app import utcnow
from service.storage import embedded_valkey


def settings(url: str, **main: Any) -> Settings:
    return validate({"accounts": {"main": ACCOUNT | main}, "redis": {"url": url}, "secret_key": "k" * 32})


async def about_codes(config: Settings) -> Finding:
    [found] = [one async for one in check_redis(config) if one.subject == "accounts.main.codes_per_day"]
    return found


@pytest.mark.parametrize(
    ("used", "ok", "said"),
    [
        (0, True, "0 of 100 QR codes"),
        (79, True, "79 of 100 QR codes"),
        (80, None, "80 of 100 QR codes"),
        (90, None, "logins are refused, and 10 are left for binds"),
        (100, None, "logins are refused, and 0 are left for binds"),
    ],
)
async def test_a_days_codes_that_run_short_are_warned_of(
    redis: Redis, redis_url: str, *, used: int, ok: bool | None, said: str
) -> None:
    codes: dict[str, Any] = {"codes_per_day": 100, "codes_for_binds": 10}
    config = settings(redis_url, **codes)
    quota = QrQuota(redis, accounts=config.accounts, clock=utcnow)
    for _ in range(used):
        async with quota.code("main", Purpose.BIND):
            pass
    finding = await about_codes(config)
    assert (finding.ok, said in finding.message) == (ok, True), finding
    assert bool(finding.remedy) is (ok is None)


async def test_a_quota_that_wechat_calls_used_up_is_warned_of(redis: Redis, redis_url: str) -> None:
    config = settings(redis_url)
    quota = QrQuota(redis, accounts=config.accounts, clock=utcnow)
    with pytest.raises(WeChatUnavailable):
        async with quota.code("main", Purpose.LOGIN):
            raise WeChatUnavailable("no", errcode=45009)
    finding = await about_codes(config)
    assert finding.ok is None
    assert "0 of 100000 QR codes" in finding.message
    assert "45009" in finding.message
    assert "clear the quota" in finding.remedy


async def test_the_codes_of_a_service_that_runs_on_embedded_stores_are_told(tmp_path: Path) -> None:
    config = validate({"accounts": {"main": ACCOUNT}, "data_dir": str(tmp_path / "var")})
    async with (
        embedded_valkey.valkey(config.data_dir) as url,
        Redis.from_url(url, decode_responses=True) as client,
    ):
        async with QrQuota(client, accounts=config.accounts, clock=utcnow).code("main", Purpose.LOGIN):
            pass
        finding = await about_codes(config)
    assert finding.message == "1 of 100000 QR codes were requested from WeChat today"
