"""When the last push of each account came.

Red when an account that WeChat never called is not warned of, or when an account is that WeChat calls.
"""

from datetime import UTC, datetime, timedelta

import pytest
from config_files import ACCOUNT
from redis.asyncio import Redis

from service.config.settings import validate
from service.doctor.last_pushes import ago
from service.doctor.redis import check_redis
from service.pushes.last_pushes import Arrival, LastPushes

TWO_ACCOUNTS = {"main": ACCOUNT, "other": {**ACCOUNT, "appid": "wx0123456789abcdef"}}


async def told(redis_url: str) -> list[str]:
    values = {
        "accounts": TWO_ACCOUNTS,
        "redis": {"url": redis_url},
        "secret_key": "k" * 32,
        "server": {"public_url": "https://login.example"},
    }
    return [str(one) async for one in check_redis(validate(values)) if one.subject.endswith(".token")]


async def test_an_account_is_warned_of_until_wechat_calls_it(redis: Redis, redis_url: str) -> None:
    never = (
        "warning  accounts.main.token: no push came within 90 days, and WeChat did not verify the URL\n"
        "         remedy: enter https://login.example/wechat/main and accounts.main.token in WeChat's console, "
        "and enable 服务器配置 there"
    )
    assert await told(redis_url) == [never, never.replace("main", "other")]
    last_pushes, now = LastPushes(redis), datetime.now(UTC)
    last_pushes.saw("main", now - timedelta(minutes=5, seconds=10), Arrival.VERIFICATION)
    last_pushes.saw("other", now - timedelta(days=3))
    await last_pushes.finish()
    verified, pushed = await told(redis_url)
    assert verified == (
        "note     accounts.main.token: WeChat verified the URL 5 minutes ago, and no push came yet\n"
        "         remedy: send a message to the account"
    )
    assert pushed == "good     accounts.other.token: the last push came 3 days ago", "a quiet account is no fault"
    last_pushes.saw("main", now)
    await last_pushes.finish()
    assert (await told(redis_url))[0].endswith("the last push came less than a minute ago")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "less than a minute ago"),
        (59, "less than a minute ago"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86_400 * 2 + 1, "2 days ago"),
    ],
)
def test_a_time_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    assert ago(timedelta(seconds=seconds)) == text
