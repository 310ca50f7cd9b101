"""Checks what a proxy in front changes: the doctor asks the service through its public address."""

from collections.abc import AsyncIterator, Iterable, Iterator
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
    good = True
    async with open_prober(settings) as prober:
        try:
            async for finding in _asked(settings, prober):
                good = False
                yield finding
        except FAULTS as error:
            good = False
            message = f"it answers, but not the doctor: {type(error).__name__}"
            yield Finding(None, _SUBJECT, message, "see the log of the proxy, and run this again")
    if good:
        yield Finding(True, _SUBJECT, "requests, answers and streams pass unchanged")


async def _asked(settings: Settings, prober: Prober) -> AsyncIterator[Finding]:
    first = await prober.look("plain")
    if first.sight is None:
        yield _other(first.status)
        return
    for finding in (*_of_request(settings, first.sight, first.direct), *_of_answer(first)):
        yield finding
    # each twice: a balancer may ask two processes in turn
    slashes, last = [await prober.look("a%2Fb"), await prober.look("a%2Fb")], await prober.look("plain")
    for finding in _of_processes(settings, (first, *slashes, last)):
        yield finding
    if not any(one.sight and one.sight.segment == "a/b" for one in slashes):
        message = "a proxy changes %2F in addresses, so users with a slash in their ids are not found"
        yield Finding(False, _SUBJECT, message, "pass addresses on as they come: see docs/operations.md")
    elif lost := next((one for one in (*slashes, last) if one.sight is None), None):
        yield _other(lost.status)
    elif last.sight == first.sight:
        message = "a cache answers in place of the service"
        yield Finding(False, _SUBJECT, message, "switch its cache off: answers belong to one visitor")
    async for finding in _of_stream(prober):
        yield finding


async def _of_stream(prober: Prober) -> AsyncIterator[Finding]:
    stream = await prober.stream()
    if not stream.at_once:  # a machine that was busy for a moment is no proxy that buffers
        stream = await prober.stream()
    if stream.status != 200:
        yield _other(stream.status)
    elif not stream.at_once:
        message = "a proxy holds streams back until they end, so pages learn of a scan too late"
        yield Finding(False, _SUBJECT, message, "switch its buffering off, and heed X-Accel-Buffering")


def _other(status: int) -> Finding:
    if status == 404:
        message = "another scanbind answers: with another secret_key or clock, or of an older version"
        return Finding(
            None, _SUBJECT, message, "start it anew, run the doctor with its configuration, or set the clocks"
        )
    message = f"a proxy answers in place of the service, with status {status}"
    return Finding(None, _SUBJECT, message, "let it pass every address on, without a password of its own")


def _of_processes(settings: Settings, looks: Iterable[Look]) -> Iterable[Finding]:
    """Return what is wrong with the processes that answered, each fault once."""
    return dict.fromkeys(fault for one in looks if one.sight for fault in _of_process(settings, one.sight))


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
        got = look.headers.getall(name, ())  # a proxy may add cookies of its own, and mark what it compresses
        if value not in got and not (name == "ETag" and any(value.strip('"') in one for one in got)):
            message = f"a proxy removes or changes {name} of answers: {_LOST[name]}"
            yield Finding(False if name in _GRAVE else None, _SUBJECT, message, f"pass {name} on unchanged")
    for name in _ADDED:
        if name in look.headers:
            message = f"a proxy adds {name}, which may keep pages of the service from working"
            yield Finding(None, _SUBJECT, message, f"do not add {name}: the service sends its own")
