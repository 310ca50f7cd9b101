"""What an attacker, or another client, can do with sealed calls: nothing, and nothing twice."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from harness import basic, client, free_port, problem
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey
from limits import ANNA, MALLORY, PROXIED, refused
from sealed import KEYS, Back, decoded, encoded, header, sealed, unsealed

from service.server.runner import running

CLIENTS = {name: client(name, sealing_key=key) for name, key in KEYS.items()}
BIND = {"purpose": "bind", "user_id": "42", "refresh": True}
INFO = "/v1/bindings/42"


@pytest.fixture
async def shop(make: Callable[..., Any]) -> Back:
    return Back(await make(clients=CLIENTS, limits={"tickets_per_user": 0}))


@pytest.fixture
async def other(shop: Back) -> AsyncIterator[Back]:
    """The same client at a second service on the same stores."""
    with free_port() as sock:
        async with running(shop.world.settings, sock=sock, clock=shop.world.clock) as service:
            yield Back(replace(shop.world, url=f"http://127.0.0.1:{service.port}", service=service))


def by_library(protected: dict[str, Any], key: Any, plaintext: str) -> str:
    """Seal with any algorithm that the library has."""
    algorithms = [str(protected["alg"]), str(protected["enc"]), "DEF"]
    return jwe.encrypt_compact(protected, plaintext, key, algorithms=algorithms)


def key_of(client: str) -> OctKey:
    return OctKey.import_key(decoded(KEYS[client]))


def parts(change: Callable[[list[str]], list[str]]) -> Callable[[str, str], str]:
    return lambda _, compact: ".".join(change(compact.split(".")))


def stray_bits(text: str) -> str:
    """Return base64url of the same bytes that is not canonical."""
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + signs[signs.index(text[-1]) + 1]


def headed(**changes: Any) -> Callable[[str, str], str]:
    fields = {name: it for name, it in header("shop", **changes).items() if it is not ...}
    return lambda plaintext, _: sealed(plaintext.encode(), key=KEYS["shop"], header=fields)


def raw_header(text: bytes) -> Callable[[str, str], str]:
    return lambda plaintext, _: sealed(plaintext.encode(), key=KEYS["shop"], header=text)


UNREADABLE: dict[str, Callable[[str, str], str]] = {
    "empty": lambda *_: "",
    "not a JWE": lambda *_: "hello",
    "the plain call": lambda plaintext, _: plaintext,
    "four parts": parts(lambda it: it[:4]),
    "six parts": parts(lambda it: [*it, "AAAA"]),
    "an encrypted key": parts(lambda it: [it[0], "AAAA", *it[2:]]),
    "a newline behind": lambda _, compact: f"{compact}\n",
    "a space before": lambda _, compact: f" {compact}",
    "padding": lambda _, compact: f"{compact}==",
    "stray bits of the tag": parts(lambda it: [*it[:4], stray_bits(it[4])]),
    "a short tag": parts(lambda it: [*it[:4], it[4][:16]]),
    "a long tag": parts(lambda it: [*it[:4], it[4] + "AA"]),
    "a short nonce": parts(lambda it: [*it[:2], it[2][:12], *it[3:]]),
    "a long nonce": parts(lambda it: [*it[:2], it[2] + "AAAA", *it[3:]]),
    "another nonce": parts(lambda it: [*it[:2], "A" * 16, *it[3:]]),
    "no ciphertext": parts(lambda it: [*it[:3], "", it[4]]),
    "more ciphertext": parts(lambda it: [*it[:3], it[3] + "AAAA", it[4]]),
    "the alphabet of base64": parts(lambda it: [*it[:3], "+/" + it[3][2:], it[4]]),
    "a header that is no JSON": raw_header(b"hello"),
    "a header that is a list": raw_header(b'["dir","A256GCM","shop"]'),
    "a header in UTF-16": raw_header(json.dumps(header()).encode("utf-16")),
    "a header not in UTF-8": raw_header(b'{"alg":"dir","enc":"A256GCM","kid":"sh\xffop"}'),
    "a nested header": raw_header(b"[" * 380),
    "a long header": headed(typ="x" * 1024),
    "a repeated member": raw_header(b'{"alg":"dir","enc":"A256GCM","kid":"club","kid":"shop"}'),
    "alg none": headed(alg="none"),
    "alg null": headed(alg=None),
    "no alg": headed(alg=...),
    "no enc": headed(enc=...),
    "enc of 128 bits": headed(enc="A128GCM"),
    "kid missing": headed(kid=...),
    "kid empty": headed(kid=""),
    "kid an array": headed(kid=["shop"]),
    "kid a number": headed(kid=1),
    "kid unknown": headed(kid="unknown"),
    "kid of a client with another key": headed(kid="club"),
    "kid in capitals": headed(kid="SHOP"),
    "zip": headed(zip="DEF"),
    "crit": headed(crit=["exp"], exp=1),
    "typ": headed(typ="JWT"),
    "cty": headed(cty="json"),
    "a key in the header": headed(jwk={"kty": "oct", "k": KEYS["shop"]}),
    "another key": lambda plaintext, _: sealed(plaintext.encode(), key=encoded(b"\7" * 32), header=header()),
    "the key of another client": lambda plaintext, _: sealed(
        plaintext.encode(), key=KEYS["club"], header=header()
    ),
    "compressed": lambda plaintext, _: by_library(header(zip="DEF"), key_of("shop"), plaintext),
    "a bomb": lambda *_: by_library(header(zip="DEF"), key_of("shop"), " " * 10_000_000),
    "A128GCM with half of the key": lambda plaintext, _: by_library(
        header(enc="A128GCM"), OctKey.import_key(decoded(KEYS["shop"])[:16]), plaintext
    ),
    "A128CBC-HS256": lambda plaintext, _: by_library(header(enc="A128CBC-HS256"), key_of("shop"), plaintext),
    "A256KW": lambda plaintext, _: by_library(header(alg="A256KW"), key_of("shop"), plaintext),
    "RSA-OAEP": lambda plaintext, _: by_library(header(alg="RSA-OAEP"), RSAKey.generate_key(2048), plaintext),
}
"""How an envelope is spoiled, from the plaintext and the good one."""


@pytest.mark.parametrize("how", UNREADABLE)
async def test_what_cannot_be_opened_is_one_answer_and_does_nothing(shop: Back, how: str) -> None:
    """Red when the service reads more of the header than it must, or the library's defaults decide."""
    fields = shop.wanted("POST", "/v1/tickets", BIND)
    good = shop.seal(fields)
    told = await problem(await shop.send(UNREADABLE[how](json.dumps(fields), good)), 401, "unauthorized")
    assert told["detail"] == "the sealed call cannot be opened"
    assert shop.world.sandbox.codes() == []
    await shop.told(await shop.send(good), fields["jti"])  # nothing was used up


LONG = "x" * 3000
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "iat missing": ({"iat": None}, "iat"),
    "iat a text": ({"iat": "1767225600"}, "iat"),
    "iat a fraction": ({"iat": 1767225600.0}, "iat"),
    "iat true": ({"iat": True}, "iat"),
    "iat of last year": ({"iat": 1}, "iat"),
    "iat of the year 5138": ({"iat": 10**11}, "iat"),
    "iat negative": ({"iat": -1}, "iat"),
    "jti missing": ({"jti": None}, "jti"),
    "jti a number": ({"jti": 1234567890123456}, "jti"),
    "jti short": ({"jti": "x" * 15}, "jti"),
    "jti long": ({"jti": "x" * 65}, "jti"),
    "jti with a space": ({"jti": "x" * 16 + " "}, "jti"),
    "jti with a newline": ({"jti": "x" * 16 + "\n"}, "jti"),
    "jti with a quote": ({"jti": 'x","body":{},"y":"'}, "jti"),
    "method missing": ({"method": None}, "method"),
    "method a list": ({"method": ["GET"]}, "method"),
    "method long": ({"method": "G" * 17}, "method"),
    "path missing": ({"path": None}, "path"),
    "path a number": ({"path": 1}, "path"),
    "path long": ({"path": f"/v1/bindings/{LONG}"}, "path"),
    "path with a query": ({"path": f"{INFO}?account=main"}, "path"),
    "path with a fragment": ({"path": f"{INFO}#x"}, "path"),
    "path with a space": ({"path": f"{INFO} x"}, "path"),
    "path with a newline": ({"path": f"{INFO}\n"}, "path"),
    "path not encoded": ({"path": "/v1/bindings/张三"}, "path"),
    "path badly encoded": ({"path": "/v1/bindings/%zz"}, "path"),
    "path of another host": ({"path": "//shop.example/v1/bindings/42"}, "path"),
    "an address": ({"path": "http://127.0.0.1/v1/bindings/42"}, "path"),
    "path outside v1": ({"path": "/metrics"}, "path"),
    "path with a slash behind": ({"path": f"{INFO}/"}, "path"),
    "query a text": ({"query": "account=main"}, "query"),
    "query of lists": ({"query": {"account": ["main"]}}, "query"),
    "query of numbers": ({"query": {"account": 1}}, "query"),
    "query of null": ({"query": {"account": None}}, "query"),
    "query unknown": ({"method": "DELETE", "query": {"x": "y"}}, "account"),
    "body a list": ({"body": [1]}, "body"),
    "body a text": ({"body": "{}"}, "body"),
    "body of a GET": ({"body": {"user_id": "42"}}, "body"),
    "body of a DELETE": ({"method": "DELETE", "body": {"user_id": "42"}}, "body"),
    "a member more": ({"exp": 1}, "exp"),
    "headers": ({"headers": {"Authorization": "x"}}, "headers"),
}


@pytest.mark.parametrize("how", FAULTS)
async def test_a_call_that_is_not_well_formed_is_refused_by_name(shop: Back, how: str) -> None:
    changes, named = FAULTS[how]
    fields = shop.wanted("GET", INFO) | changes
    fields = {name: it for name, it in fields.items() if it is not None}
    told = await problem(await shop.send(shop.seal(fields)), 400, "invalid-request")
    assert named in told["detail"]


@pytest.mark.parametrize(
    "plaintext",
    [b"", b"hello", b"[]", b"null", b"\xff", b"[" * 40_000, b'{"iat":1,"iat":2}', b'{"iat":NaN}', b'"\\ud800"'],
    ids=lambda text: repr(text[:12]),
)
async def test_content_that_is_no_object_of_json_is_refused(shop: Back, plaintext: bytes) -> None:
    await problem(await shop.send(shop.seal(plaintext)), 400, "invalid-request")


NOT_FOR_BACK_ENDS = {
    "itself": ("POST", "/v1/sealed", 404),
    "a ticket's status": ("GET", "/v1/tickets/{ticket}", 404),
    "a ticket's stream": ("GET", "/v1/tickets/{ticket}/events", 404),
    "a ticket's end": ("DELETE", "/v1/tickets/{ticket}", 404),
    "a preflight": ("OPTIONS", "/v1/tickets", 404),
    "a picture": ("GET", "/v1/accounts/main/picture", 404),
    "nothing": ("GET", "/v1/nothing", 404),
    "a portal session": ("GET", "/v1/portal-sessions/{ticket}", 404),
    "dots": ("GET", "/v1/../metrics", 404),
    "encoded dots": ("GET", "/v1/%2e%2e/metrics", 404),
    "no user": ("GET", "/v1/bindings", 405),
    "HEAD": ("HEAD", INFO, 405),
    "PUT": ("PUT", INFO, 405),
    "small letters": ("get", INFO, 405),
    "no word": ("G T\r\n", INFO, 405),
}


@pytest.mark.parametrize("how", NOT_FOR_BACK_ENDS)
async def test_nothing_but_calls_of_back_ends_can_be_sealed(shop: Back, how: str) -> None:
    """Red when `_operation` does not ask for the caller or the method; the call is not used up."""
    method, path, status = NOT_FOR_BACK_ENDS[how]
    fields = shop.wanted(method, path.format(ticket="A" * 32))
    slug = {404: "not-found", 405: "method-not-allowed"}[status]
    await problem(await shop.send(shop.seal(fields)), status, slug)
    await shop.ask("GET", INFO, jti=fields["jti"])


async def test_the_same_bytes_or_the_same_jti_run_once(shop: Back) -> None:
    """Red when `call` does not use the `jti` up before it runs the call."""
    fields = shop.wanted("POST", "/v1/tickets", BIND)
    compact = shop.seal(fields)
    await shop.told(await shop.send(compact), fields["jti"])
    again = shop.seal(fields | {"body": BIND | {"user_id": "43"}})
    elsewhere = shop.seal(shop.wanted("GET", INFO, jti=fields["jti"]))
    for repeated in (compact, again, elsewhere, shop.seal(fields)):
        told = await problem(await shop.send(repeated), 400, "invalid-request")
        assert told["detail"] == "jti: was used before"
    assert len(shop.world.sandbox.codes()) == 1


async def test_a_call_that_failed_is_used_up_as_well(shop: Back) -> None:
    fields = shop.wanted("DELETE", INFO)
    await problem(await shop.send(shop.seal(fields)), 404, "binding-not-found")
    await problem(await shop.send(shop.seal(fields)), 400, "invalid-request")


async def test_of_fifty_at_once_at_two_processes_one_runs(shop: Back, other: Back) -> None:
    fields = shop.wanted("POST", "/v1/tickets", BIND)
    compact = shop.seal(fields)
    answers = await asyncio.gather(*(at.send(compact) for at in [shop, other] * 25))
    assert sorted(one.status for one in answers) == [201, *[400] * 49]
    assert len(shop.world.sandbox.codes()) == 1


async def test_no_lost_redis_and_no_restart_makes_a_call_new(shop: Back, other: Back) -> None:
    fields = shop.wanted("GET", INFO)
    compact = shop.seal(fields)
    await shop.told(await shop.send(compact), fields["jti"])
    await shop.world.redis.flushall()
    await problem(await shop.send(compact), 400, "invalid-request")
    await problem(await other.send(compact), 400, "invalid-request")
    with free_port() as sock:
        async with running(shop.world.settings, sock=sock, clock=shop.world.clock) as service:
            later = Back(replace(shop.world, url=f"http://127.0.0.1:{service.port}"))
            await problem(await later.send(compact), 400, "invalid-request")


async def test_a_call_that_cannot_be_used_up_does_not_run(shop: Back) -> None:
    """Red when the call runs while the database does not keep it."""
    with closing(sqlite3.connect(shop.world.settings.data_dir / "scanbind.sqlite3")) as database, database:
        database.execute("ALTER TABLE sealed_calls RENAME TO elsewhere")
    await problem(await shop.call("POST", "/v1/tickets", BIND), 503, "store-unavailable")
    assert shop.world.sandbox.codes() == []


async def test_a_call_kept_back_is_refused_once_it_is_old(shop: Back) -> None:
    shop.world.clock.hold()
    early, late = (shop.seal(shop.wanted("GET", INFO)) for _ in range(2))
    shop.world.clock.advance(300)
    assert (await shop.send(early)).status == 200
    shop.world.clock.advance(1)
    told = await problem(await shop.send(late), 400, "invalid-request")
    assert told["detail"].startswith("iat: ")
    assert str(int(shop.world.clock.seconds())) in told["detail"]


async def test_one_client_reads_and_ends_nothing_of_another(shop: Back) -> None:
    club = Back(shop.world, "club")
    fields = shop.wanted("GET", INFO)
    response = await shop.send(shop.seal(fields))
    with pytest.raises(InvalidTag):
        unsealed(await response.text(), key=KEYS["club"])
    person = await shop.world.bound("42")
    assert (await club.ask("GET", INFO))["bindings"] == []
    await problem(await club.call("DELETE", INFO), 404, "binding-not-found")
    assert len(await shop.world.bindings("42")) == 1, person
    await club.ask("GET", INFO, jti=fields["jti"])  # its calls have names of their own


async def test_an_answer_is_no_call_and_a_client_id_of_another_is_refused(shop: Back) -> None:
    fields = shop.wanted("GET", INFO)
    answer = await (await shop.send(shop.seal(fields))).text()
    told = await problem(await shop.send(answer), 400, "invalid-request")
    assert "iat" in told["detail"]
    response = await shop.call("POST", "/v1/tickets", {"purpose": "login", "client_id": "club"})
    assert "client_id" in (await problem(response, 400, "invalid-request"))["detail"]


async def test_calls_with_wrong_keys_are_counted_with_wrong_passwords(make: Callable[..., Any]) -> None:
    """Red when `open_sealed` raises an uncounted error, or does not ask whether the address is blocked."""
    shop = Back(await make(clients=CLIENTS, limits={"failures_per_address": 3}, **PROXIED))
    wrong = sealed(b"{}", key=encoded(b"\7" * 32), header=header())
    unknown = sealed(b"{}", key=encoded(b"\7" * 32), header=header("unknown"))
    for _ in range(5):
        assert (await shop.send(unknown, **MALLORY)).status == 401
    assert [(await shop.send(wrong, **MALLORY)).status for _ in range(3)] == [401] * 3
    await refused(await shop.send(shop.seal(shop.wanted("GET", INFO)), **MALLORY))
    await refused(await shop.world.call("GET", INFO, headers={**basic(), **MALLORY}))
    assert (await shop.send(shop.seal(shop.wanted("GET", INFO)), **ANNA)).status == 200
    club = Back(shop.world, "club")
    assert (await club.send(club.seal(club.wanted("GET", INFO)), **MALLORY)).status == 200
