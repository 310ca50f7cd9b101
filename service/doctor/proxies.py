"""Checks what a proxy in front changes: the doctor asks the service through its public address."""

from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from typing import Final

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.probe import ANSWERED, SENT, Sight
from service.doctor.prober import FAULTS, Look, Prober, open_prober
from service.doctor.proxy_addresses import address_findings

_SUBJECT: Final = "server.public_url"
_LOST: Final = {
    "Authorization": "no site and no page can prove who it is",
    "If-None-Match": "pages ask every two seconds instead of waiting",
    "Prefer": "pages ask every two seconds instead of waiting",
    "Cookie": "logins by a redirect and the portal fail",
    "Sec-Fetch-Mode": "logins by a redirect or a link fail",
    "ETag": "pages ask every two seconds instead of waiting",
    "Set-Cookie": "logins by a redirect and the portal fail",
    "Cache-Control": "answers with secrets may be stored on the way",
}
"""What does not work if a proxy does not pass a header on."""
_GRAVE: Final = ("Authorization", "Cookie", "Sec-Fetch-Mode", "Set-Cookie", "Cache-Control")
_ADDED: Final = ("Content-Security-Policy", "X-Frame-Options")


async def check_proxies(settings: Settings) -> AsyncIterator[Finding]:
    async with open_prober(settings) as prober:
        try:
            found = [finding async for finding in _asked(settings, prober)]
        except FAULTS as error:
            message = f"it answers, but not the doctor: {type(error).__name__}"
            found = [Finding(None, _SUBJECT, message, "see the log of the proxy, and run this again")]
        for finding in found or [Finding(True, _SUBJECT, "requests, answers and streams pass unchanged")]:
            yield finding


async def _asked(settings: Settings, prober: Prober) -> AsyncIterator[Finding]:
    look = await prober.look("plain")
    if look.sight is None:
        yield _other(look)
        return
    for finding in (
        *_of_process(settings, look.sight),
        *_of_request(settings, look.sight, look.direct),
        *_of_answer(look),
    ):
        yield finding
    again = await prober.look("a%2Fb")
    if again.sight is None or again.sight.segment != "a/b":
        message = "a proxy changes %2F in addresses, so users with a slash in their ids are not found"
        yield Finding(False, _SUBJECT, message, "pass addresses on as they come: see docs/operations.md")
    elif (await prober.look("plain")).sight == look.sight:
        message = "a cache answers in place of the service"
        yield Finding(False, _SUBJECT, message, "switch its cache off: answers belong to one visitor")
    # a second time: a machine that was busy for a moment is no proxy that buffers
    if not await prober.streams_at_once() and not await prober.streams_at_once():
        message = "a proxy holds streams back until they end, so pages learn of a scan too late"
        yield Finding(False, _SUBJECT, message, "switch its buffering off, and heed X-Accel-Buffering")


def _other(look: Look) -> Finding:
    if look.status == 404:
        message = "another scanbind answers: with another secret_key or clock, or of an older version"
        return Finding(None, _SUBJECT, message, "start it anew, or run the doctor with its configuration")
    message = f"a proxy answers in place of the service, with status {look.status}"
    return Finding(None, _SUBJECT, message, "let it pass every address on, without a password of its own")


def _of_process(settings: Settings, sight: Sight) -> Iterator[Finding]:
    if sight.version != (own := version("scanbind")):
        message = f"scanbind {sight.version} runs, and this is {own}"
        yield Finding(None, _SUBJECT, message, "start the service anew")
    if sight.open_files < (waiting := settings.limits.waiting):
        message = f"{waiting:,} is more than the service's limit of open files, {sight.open_files:,}"
        yield Finding(None, "limits.waiting", message, "raise LimitNOFILE of its unit, or lower this limit")


def _of_request(settings: Settings, sight: Sight, direct: bool) -> Iterator[Finding]:
    for name in (name for name in SENT if name not in sight.received):
        message = f"a proxy removes or changes {name}: {_LOST[name]}"
        yield Finding(False if name in _GRAVE else None, _SUBJECT, message, f"pass {name} on unchanged")
    if not direct:
        yield from address_findings(sight)
    if sight.https and settings.server.public_url.startswith("http:"):
        message = "the proxy is reached by https, and the address here is http"
        yield Finding(None, _SUBJECT, message, "write https:// here")


def _of_answer(look: Look) -> Iterator[Finding]:
    for name, value in ANSWERED.items():
        got = look.headers.get(name, "")
        if got != value and not (name == "ETag" and value.strip('"') in got):  # marked by compression
            message = f"a proxy removes or changes {name} of answers: {_LOST[name]}"
            yield Finding(False if name in _GRAVE else None, _SUBJECT, message, f"pass {name} on unchanged")
    for name in _ADDED:
        if name in look.headers:
            message = f"a proxy adds {name}, which may keep pages of the service from working"
            yield Finding(None, _SUBJECT, message, f"do not add {name}: the service sends its own")
