"""The URL of Redis is either read by redis-py as it stands, or refused with what to do.

Red when `check_signs` counts no @, when `_USER` allows a #, ? or [, or without `_check_reading`.
"""

from urllib.parse import quote, unquote

import pytest
from bad_configurations import ENCODE, REDIS_FORMS
from hypothesis import example, given
from hypothesis import strategies as st
from redis.asyncio import Redis

from service.config.fault import Fault
from service.config.redis_url import nodes, redis_url
from service.storage.redis import connect

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12)
FORMS = (
    "redis://:{}@127.0.0.1:6380/1",
    "rediss://someone:{}@[::1]:6380/1",
    "unix://:{}@/run/valkey.sock?db=1",
    "redis+sentinel://:{}@127.0.0.1:6380/master/1",
    "redis+cluster://someone:{}@127.0.0.1:6380",
)


def judged(url: str) -> tuple[str, str]:
    """Return the URL that is accepted, or the fault."""
    try:
        return redis_url(url), ""
    except Fault as fault:
        return "", str(fault)


async def understood(url: str) -> dict[str, object]:
    """Return what redis-py connects with."""
    if "+" in url.partition(":")[0]:
        read = nodes(url)
        return dict(read.arguments) | dict(zip(("host", "port"), read.hosts[0], strict=True))
    async with connect(url) as client:
        assert isinstance(client, Redis)
        return dict(client.connection_pool.connection_kwargs)


def expected(form: str, password: str) -> dict[str, object]:
    told: dict[str, object] = {"password": password}
    if "someone" in form:
        told["username"] = "someone"
    if "unix" in form:
        told["path"] = "/run/valkey.sock"
    else:
        told |= {"host": "::1" if "[" in form else "127.0.0.1", "port": 6380}
    return told if "cluster" in form else told | {"db": 1}


@given(password=PRINTABLE, form=st.sampled_from(FORMS))
@example(password="57#Abc", form=FORMS[0])
@example(password="hunt?er2", form=FORMS[3])
@example(password="hunt@er2", form=FORMS[4])
@example(password="hunt/er2", form=FORMS[0])
@example(password="hunter[2", form=FORMS[1])
@example(password="100%", form=FORMS[0])
@example(password="℀", form=FORMS[0])
@example(password="pass:word+é密", form=FORMS[2])
async def test_a_raw_password_is_read_as_it_stands_or_refused(password: str, form: str) -> None:
    url, fault = judged(form.format(password))
    if url:
        assert (await understood(url)).items() >= expected(form, unquote(password)).items()
    else:
        assert "percent-encode" in fault or "%20" in fault
        assert password in REDIS_FORMS + ENCODE or password not in fault


@given(password=PRINTABLE, form=st.sampled_from(FORMS))
async def test_an_encoded_password_is_what_was_encoded(password: str, form: str) -> None:
    url = redis_url(form.format(quote(password, safe="")))
    assert (await understood(url)).items() >= expected(form, password).items()


@given(st.text(max_size=20), st.sampled_from(["redis", "rediss", "unix", "redis+sentinel", "redis+cluster"]))
async def test_every_accepted_url_makes_a_client(rest: str, scheme: str) -> None:
    url, _ = judged(f"{scheme}://{rest}")
    if url:
        await understood(url)


@pytest.mark.parametrize("password", ["hunt#er?2", "a@b/c", "[100%]", "p:a+s s", "密码é"])
async def test_a_server_accepts_the_encoded_password(password: str, redis: Redis, redis_url: str) -> None:
    await redis.execute_command("ACL", "SETUSER", "someone", "on", f">{password}", "~*", "&*", "+@all")
    try:
        path = redis_url.removeprefix("unix://")
        async with connect(f"unix://someone:{quote(password, safe='')}@{path}") as client:
            assert await client.ping()
    finally:
        await redis.execute_command("ACL", "DELUSER", "someone")


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("redis://h?db=2&client_name=scanbind&protocol=2", {"db": 2, "client_name": "scanbind", "protocol": 2}),
        ("redis://h/3?health_check_interval=30", {"db": 3, "health_check_interval": 30}),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=no", {"ssl_cert_reqs": "none"}),
        ("redis+sentinel://h1,[::1]:7/m?db=4&protocol=3", {"db": 4, "protocol": 3}),
        ("redis+cluster://h1:7000,h2/?client_name=x", {"client_name": "x"}),
    ],
)
async def test_known_options_reach_the_connections(url: str, arguments: dict[str, object]) -> None:
    """Red when `nodes` drops the query, as it once did for sentinels and clusters."""
    assert (await understood(redis_url(url))).items() >= arguments.items()


def test_each_host_keeps_its_port_or_gets_the_usual_one() -> None:
    assert nodes("redis+sentinel://:p@h1,[::1],h2:7/m/0").hosts == (("h1", 26379), ("::1", 26379), ("h2", 7))
    assert nodes("redis+cluster://h1,h2:7000").hosts == (("h1", 6379), ("h2", 7000))
