"""Reports when WeChat last pushed to each account, or verified its URL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from redis.asyncio import Redis, RedisCluster

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.pushes.last_pushes import KEPT, Arrival, LastPushes


async def last_pushes(settings: Settings, client: "Redis | RedisCluster") -> AsyncIterator[Finding]:
    kept, now = LastPushes(client), datetime.now(UTC)
    pushed = await kept.read(settings.accounts)
    verified = await kept.read(settings.accounts, Arrival.VERIFICATION)
    for name, push in pushed.items():
        subject, verification = f"accounts.{name}.token", verified[name]
        if push:  # an account to which no person writes is no fault, so any age is good
            yield Finding(True, subject, f"the last push came {ago(now - push)}")
        elif verification:
            message = f"WeChat verified the URL {ago(now - verification)}, and no push came yet"
            yield Finding(True, subject, message, "send a message to the account", untested=True)
        else:
            url = f"{settings.server.public_url}/wechat/{name}"
            message = f"no push came within {KEPT.days} days, and WeChat did not verify the URL"
            remedy = f"enter {url} and {subject} in WeChat's console, and enable 服务器配置 there"
            yield Finding(None, subject, message, remedy)


def ago(passed: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    minutes = max(0, int(passed.total_seconds())) // 60
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if count := minutes // size:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "less than a minute ago"
