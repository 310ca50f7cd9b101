"""What the doctor finds out about a proxy by asking through it: real ones, set rightly and wrongly.

Red when one of these faults is not found, or when a proxy with the settings of docs/operations.md is warned of.

Covers: service.doctor.probe.
"""

import resource
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from doctoring import one_fault, reached_at, told
from harness import World
from proxy import Proxy, Rule, proxy
from pydantic import SecretStr
from real_proxies import NAMES, Kind, in_front_of
from tls import own_certificate
from yarl import URL

from service.doctor import proxies

GOOD = "requests, answers and streams pass unchanged"


@pytest.fixture
async def trusting(make: Any) -> World:
    world: World = await make(server={"trusted_proxies": ["127.0.0.1"]})
    return world


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]], ids=["no proxy trusted", "loopback trusted"])
async def test_a_service_without_a_proxy_is_good(make: Any, trusted: list[str]) -> None:
    world = await make(server={"trusted_proxies": trusted})
    assert await one_fault(world, world.url) == f"good     server.public_url: {GOOD}"


async def real(stack: AsyncExitStack, world: World, folder: Path, kind: Kind, snippet: str = "") -> str:
    if not kind.found():
        pytest.skip(f"needs {kind.program}, which is not on this machine")
    return await stack.enter_async_context(in_front_of(world.url, kind, folder, snippet=snippet))


@pytest.mark.parametrize("compresses", [False, True], ids=["plain", "compressing"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_proxy_as_the_documents_set_it_is_good(
    trusting: World, name: str, compresses: bool, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        url = await real(stack, trusting, tmp_path, Kind(name, compresses))
        assert await one_fault(trusting, url) == f"good     server.public_url: {GOOD}"


FORWARDED = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"


@pytest.mark.parametrize(
    ("name", "snippet", "fault"),
    [
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_ignore_headers X-Accel-Buffering;",
            "failed   server.public_url: a proxy holds streams back until they end",
        ),
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080/; {FORWARDED}",
            "failed   server.public_url: a proxy changes %2F in addresses",
        ),
        (
            "nginx",
            "proxy_pass http://127.0.0.1:8080;",
            "failed   server.trusted_proxies: the proxy at 127.0.0.1 lets clients write X-Forwarded-For",
        ),
        (
            "nginx",
            "proxy_pass http://127.0.0.1:8080; proxy_set_header X-Forwarded-For '';",
            "warning  server.trusted_proxies: the proxy at 127.0.0.1 does not say where requests come from",
        ),
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_set_header Authorization '';",
            "failed   server.public_url: a proxy removes or changes Authorization: no site and no page can prove",
        ),
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_cookie_flags ~ nosecure samesite=none;",
            "failed   server.public_url: a proxy removes or changes Set-Cookie of answers",
        ),
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_hide_header ETag;",
            "warning  server.public_url: a proxy removes or changes ETag of answers",
        ),
        (
            "nginx",
            f"proxy_pass http://127.0.0.1:8080; {FORWARDED} add_header X-Frame-Options DENY;",
            "warning  server.public_url: a proxy adds X-Frame-Options",
        ),
        (
            "apache",
            "ProxyPass / http://127.0.0.1:8080/ ttl=120",
            "failed   server.public_url: a proxy changes %2F in addresses",
        ),
        (
            "caddy",
            "reverse_proxy 127.0.0.1:8080 {\nheader_up -Prefer\n}",
            "warning  server.public_url: a proxy removes or changes Prefer: pages ask every two seconds",
        ),
    ],
    ids=[
        "nginx buffers",
        "nginx decodes slashes",
        "nginx appends no address",
        "nginx removes addresses",
        "nginx removes Authorization",
        "nginx changes cookies",
        "nginx removes ETag",
        "nginx adds a header",
        "apache decodes slashes",
        "caddy removes Prefer",
    ],
)
async def test_a_real_proxy_that_is_set_wrongly_is_found(
    trusting: World, tmp_path: Path, *, name: str, snippet: str, fault: str
) -> None:
    async with AsyncExitStack() as stack:
        if name == "nginx":
            snippet = f"location / {{ {snippet} }}"
        url = await real(stack, trusting, tmp_path, Kind(name, compresses=False), snippet)
        found = await told(reached_at(trusting, url))
    assert found[-1].startswith(fault), found
    assert len(found) == 2, found
    assert "\n         remedy: " in found[-1]


async def test_a_proxy_that_is_not_trusted_is_found(world: World, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        url = await real(stack, world, tmp_path, Kind("caddy", compresses=False))
        fault = await one_fault(world, url)
    finding, remedy = fault.splitlines()
    assert finding.endswith(": the proxy at 127.0.0.1 is not listed, so all visitors share its address")
    assert remedy == "         remedy: add 127.0.0.1, or its network"


async def test_a_forwarding_without_headers_is_a_note(world: World) -> None:
    """A translation of addresses looks like this; so does a proxy that writes nothing."""
    async with proxy(world.url) as between:
        fault = await one_fault(world, between.url)
    assert fault.startswith("note     server.trusted_proxies: requests come from 127.0.0.1; if that is a proxy")


async def test_a_proxy_that_writes_the_other_header_is_found(make: Any, tmp_path: Path) -> None:
    world = await make(server={"trusted_proxies": ["127.0.0.1"], "proxy_headers": "forwarded"})
    snippet = f"location / {{ proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_set_header Forwarded ''; }}"
    async with AsyncExitStack() as stack:
        url = await real(stack, world, tmp_path, Kind("nginx", compresses=False), snippet)
        fault = await one_fault(world, url)
    assert "the proxy at 127.0.0.1 writes X-Forwarded-For, which is not read" in fault


def caching() -> Rule:
    """Return a rule that answers each address as the first time."""
    kept = dict[str, tuple[bytes, Any]]()

    async def cached(request: web.Request, between: Proxy) -> web.Response:
        if request.raw_path not in kept:
            url = URL(between.target + request.raw_path, encoded=True)
            async with between.http.get(url, headers=request.headers) as theirs:
                kept[request.raw_path] = (await theirs.read(), theirs.headers.copy())
        body, headers = kept[request.raw_path]
        headers.popall("Content-Length", None)
        headers.popall("Transfer-Encoding", None)
        return web.Response(body=body, headers=headers)

    return cached


async def asks_for_a_password(request: web.Request, _: Proxy) -> web.Response | None:
    return None if request.path == "/livez" else web.Response(status=401)


async def redirects(request: web.Request, _: Proxy) -> web.Response:
    return web.Response(status=301, headers={"Location": f"https://login.example{request.path}?secret=1"})


async def breaks_off(request: web.Request, _: Proxy) -> web.Response | None:
    if request.path != "/livez" and request.transport:
        request.transport.close()
        return web.Response()
    return None


def only_streams(answer: Any) -> Rule:
    """Return a rule that *answer*s requests for the stream, and passes on all else."""

    async def rule(request: web.Request, between: Proxy) -> Any:
        return await answer(request, between) if request.path == "/v1/probe-stream" else None

    return rule


async def unknown(_: web.Request, __: Proxy) -> web.Response:
    return web.Response(status=404)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (
            asks_for_a_password,
            "warning  server.public_url: a proxy answers in place of the service, with status 401",
        ),
        (caching(), "failed   server.public_url: a cache answers in place of the service"),
        (redirects, "failed   server.public_url: {url} redirects to https://login.example\n"),
        (breaks_off, "warning  server.public_url: it answers, but not the doctor: ServerDisconnectedError"),
        (
            only_streams(unknown),
            "warning  server.public_url: another scanbind answers: with another secret_key",
        ),
        (
            only_streams(redirects),
            "warning  server.public_url: a proxy answers in place of the service, with status 301",
        ),
    ],
    ids=["password", "cache", "redirect", "broken", "another for streams", "redirect of streams"],
)
async def test_a_proxy_that_answers_itself_is_found(make: Any, rule: Rule, fault: str) -> None:
    world = await make()
    async with proxy(world.url) as between:
        between.rule = rule
        found = await told(reached_at(world, between.url))
    assert any(one.startswith(fault.format(url=between.url)) for one in found), found


async def test_a_service_with_another_secret_key_is_told_apart(world: World) -> None:
    stranger = world.settings.model_copy(update={"secret_key": (SecretStr("x" * 40),)})
    fault = await one_fault(replace(world, settings=stranger), world.url)
    assert fault.startswith("warning  server.public_url: another scanbind answers: with another secret_key")


async def test_a_service_of_another_version_is_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "version", lambda _: "99.9")
    fault = await one_fault(world, world.url)
    assert fault.startswith(f"warning  server.public_url: scanbind {version('scanbind')} runs, and this is 99.9\n")


async def test_fewer_files_than_browsers_may_wait_is_found(world: World) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (900, hard))
    try:
        settings = reached_at(world, world.url)
        limits = settings.limits.model_copy(update={"waiting": 901})
        found = await told(settings.model_copy(update={"limits": limits}))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found[1].splitlines() == [
        "warning  limits.waiting: 901 is more than the service's limit of open files, 900",
        "         remedy: raise LimitNOFILE of its unit, or lower this limit",
    ]


async def test_a_certificate_that_is_not_valid_is_found(world: World, tmp_path: Path) -> None:
    async with proxy(world.url, tls=own_certificate(tmp_path)) as between:
        url = between.url.replace("127.0.0.1", "localhost")
        fault = (await told(reached_at(world, url)))[0]
    assert fault.startswith(f"failed   server.public_url: the certificate of {url} is not valid: ")
    assert "\n         remedy: renew it, or send the whole chain" in fault


async def test_an_address_that_is_https_for_the_proxy_alone_is_found(trusting: World, tmp_path: Path) -> None:
    snippet = (
        f"location / {{ proxy_pass http://127.0.0.1:8080; {FORWARDED} proxy_set_header X-Forwarded-Proto https; }}"
    )
    async with AsyncExitStack() as stack:
        url = await real(stack, trusting, tmp_path, Kind("nginx", compresses=False), snippet)
        fault = await one_fault(trusting, url)
    assert fault.startswith(
        "warning  server.public_url: the proxy is reached by https, and the address here is http\n"
    )
