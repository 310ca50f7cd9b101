"""What checks of logins have in common: a made-up code, whose refusal tells that all else is right."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from service.doctor.finding import Finding
from service.doctor.wechat import refused
from service.wechat.answers import Refused
from service.wechat.transport import WITHOUT_RENEWAL, ApiAccount, insist

CODE: Final = "0" * 32
UNTESTED: Final = "cannot be tested from here: whether"
_INVALID_CODE: Final = 40029


async def judged(
    subject: str,
    account: ApiAccount,
    send: Callable[[], Awaitable[object]],
    *,
    good: str,
    failing: str,
    remedies: Mapping[int, str],
) -> Finding:
    """Return the finding of sending CODE: *good* if that alone is refused."""
    try:
        await send()
    except Refused as refusal:
        if refusal.errcode == _INVALID_CODE:
            return Finding(True, subject, good + account.way)
        return refused(subject, account, refusal, failing=failing, remedies=remedies)
    message = f"a made-up code was accepted, so the answer is not from WeChat{account.way}"
    return Finding(False, subject, message, f"correct {subject}.api_base")


async def insisted(call: Callable[[], Awaitable[dict[str, Any]]], *, endpoint: str) -> dict[str, Any]:
    """Make an idempotent call; return the answer. Raises Refused."""
    return await insist(call, endpoint=endpoint, remedies=WITHOUT_RENEWAL)
