"""Checks that each target of passed-on pushes answers a URL verification, as WeChat's console demands it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.wechat.build import build_forward_targets
from service.wechat.forwarded_push import ForwardTarget, verification
from service.wechat.push_targets import PushTargets, TargetFailed, open_push_targets

_REMEDY = "start the system behind it, and compare its url and token with those here"


async def check_forwarding(settings: Settings) -> AsyncIterator[Finding]:
    async with open_push_targets() as client:
        for name, targets in build_forward_targets(settings).items():
            for index, target in enumerate(targets):
                timeout = settings.accounts[name].forward[index].timeout
                yield await _verified(client, f"accounts.{name}.forward.{index}", target, within=timeout)


async def _verified(client: PushTargets, subject: str, target: ForwardTarget, *, within: float) -> Finding:
    query = verification(target, now=datetime.now(UTC))
    try:
        async with asyncio.timeout(within):
            answer = await client.verify(target.url, query)
    except TargetFailed as fault:
        return Finding(False, subject, str(fault), _REMEDY)
    except TimeoutError:
        return Finding(False, subject, f"does not answer within {within:.0f} seconds", _REMEDY)
    if answer.decode(errors="replace") != query["echostr"]:
        return Finding(False, subject, "answers a URL verification with something else than its echostr", _REMEDY)
    return Finding(True, subject, "answers a URL verification as WeChat demands it")
