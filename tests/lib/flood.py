"""Junk for every field of the interface that takes a string, and many connections that send it at once."""

import asyncio
import json
import random
import re
import string
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

ALPHABET: Final = string.ascii_letters + string.digits + "-_"
ASTRAL: Final = "\U0001d11e"
"""One such character makes Python keep a whole text at four bytes a character."""
MARK: Final = re.compile(r"junk-[0-9]+-[0-9a-f]+-")
"""What most texts of junk contain at their beginning, each another."""
LONG_BODY: Final = 60_000
"""Characters that fit into a body of 64 KiB."""
LONG_LINE: Final = 7000
"""Bytes that fit into a request line or header, which aiohttp ends at 8190."""
_CONNECTIONS: Final = 16
_SAMPLES: Final = {"string": "42", "boolean": True}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, as it is put together; every text in it may be junk."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | str | None = None

    def written(self) -> bytes:
        """Return the bytes to send."""
        target = self.path + (f"?{self.query}" if self.query else "")
        headers, body = {"Host": "x", **self.headers}, b""
        if self.body is not None:
            whole = self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
            body = whole.encode()
            headers = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Place:
    """One place of one endpoint: `put` writes a text there, of `longest` bytes or characters."""

    source: str
    name: str
    put: Callable[[str], Ask]
    longest: int = LONG_LINE


def junk(count: int, *, longest: int) -> Iterator[str]:
    """Yield *count* texts, each another: long ones, long ones with an astral character, and well-shaped ones."""
    draw = random.Random(count)  # every run sends the same
    for number in range(count):
        unlike = f"junk-{number}-{draw.getrandbits(64):x}-"
        ticket = "AC"[number % 2] + "".join(draw.choices(ALPHABET, k=(38, 27)[number % 2]))
        token = f"{ticket}.{''.join(draw.choices(ALPHABET, k=32))}"
        shapes = (
            ASTRAL + unlike + "x" * (longest - len(unlike) - 1),
            ticket,
            unlike + "x" * (longest - len(unlike)),
            token,
            ASTRAL + unlike + "x" * (longest - len(unlike) - 1),
            (unlike + ASTRAL * 100)[:100],
        )
        yield shapes[number % len(shapes)]


def places(document: Json, *, sure: Mapping[str, str], proofs: Mapping[str, Mapping[str, str]]) -> list[Place]:
    """Return every place of the interface that *document* (OpenAPI) describes.

    *sure* are path parameters that exist; *proofs* the headers that satisfy each security scheme.
    """
    found: list[Place] = []
    for pattern, item in document["paths"].items():
        for method, told in item.items():
            found += _of(document, method.upper(), pattern, told, sure=sure, proofs=proofs)
    return found


def anywhere() -> list[Place]:
    """Return what every endpoint reads, described or not: methods, addresses, and headers of any request."""
    ask = Ask("GET", "/livez")
    names = ("X-Request-Id", "X-Forwarded-For", "X-Forwarded-Proto", "User-Agent", "Accept-Language", "Cookie")
    names += ("Expect", "Origin", "Authorization", "Host", "Accept-Encoding", "Sec-Purpose", "Content-Type")
    headers = [Place("any", name, lambda text, name=name: replace(ask, headers={name: text})) for name in names]
    return [
        *headers,
        Place("any", "path", lambda text: Ask("GET", "/" + quote(text, safe="")), LONG_LINE // 2),
        Place("any", "query", lambda text: Ask("GET", "/livez", query=f"{quote(text, safe='')}=1")),
        Place(
            "any",
            "query twice",
            lambda text: Ask("GET", "/livez", query="&".join([f"{quote(text, safe='')}=1"] * 2)),
        ),
        Place("any", "method", lambda text: Ask("M" + "".join(filter(str.isalpha, text))[:50].upper(), "/livez")),
    ]


def _of(
    document: Json,
    method: str,
    pattern: str,
    told: Json,
    *,
    sure: Mapping[str, str],
    proofs: Mapping[str, Mapping[str, str]],
) -> Iterator[Place]:
    source = f"{method} {pattern}"
    schemes = [name for one in told["security"] for name in one]
    media, variants = _bodies(document, told)
    base = Ask(
        method,
        pattern.format(**sure),
        headers={**(proofs[schemes[0]] if schemes else {}), **({"Content-Type": media} if media else {})},
        body=next(iter(variants), {})[1] if variants else None,
    )
    for one in told["parameters"]:
        name = one["name"]
        match one["in"]:
            case "path":
                yield Place(source, name, _in_path(base, pattern, name, sure))
            case "query":
                yield Place(
                    source, name, lambda text, name=name: replace(base, query=f"{name}={quote(text, safe='')}")
                )
            case "header":
                yield Place(
                    source, name, lambda text, name=name: replace(base, headers={**base.headers, name: text})
                )
    for scheme in schemes:
        for name, header in _proof(scheme, sure).items():
            yield Place(source, f"{scheme} {name}", _proving(base, header), LONG_LINE // 2)
    for properties, sample in variants:
        for name in properties:
            yield Place(
                source,
                f"body {name}",
                lambda text, name=name, sample=sample: replace(base, body=_with(sample, name, text)),
                LONG_BODY,
            )
        yield Place(
            source, "field", lambda text, sample=sample: replace(base, body={**sample, text: "x"}), LONG_BODY
        )
    if media and not variants:
        yield Place(source, "body", lambda text: replace(base, body=text), LONG_BODY)


def _in_path(base: Ask, pattern: str, name: str, sure: Mapping[str, str]) -> Callable[[str], Ask]:
    def put(text: str) -> Ask:
        return replace(base, path=pattern.format(**{**sure, name: quote(text, safe="")}))

    return put


def _proof(scheme: str, sure: Mapping[str, str]) -> dict[str, Callable[[str], dict[str, str]]]:
    """Return where the junk of a security scheme goes: the header, made of a text."""

    def basic(user: str, password: str) -> dict[str, str]:
        return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}

    table: dict[str, dict[str, Callable[[str], dict[str, str]]]] = {
        "site": {"user": lambda text: basic(text, "x"), "password": lambda text: basic("shop", text)},
        "page": {"origin": lambda text: {"Origin": text}},
        "portal_page": {
            "cookie": lambda text: {
                "Cookie": f"scanbind_portal_{sure['session']}={text}",
                "Sec-Fetch-Site": "same-origin",
            },
            "cookie name": lambda text: {"Cookie": f"{text}=1"},
        },
    }
    return table.get(scheme, {"bearer": lambda text: {"Authorization": f"Bearer {text}"}})


def _proving(base: Ask, header: Callable[[str], dict[str, str]]) -> Callable[[str], Ask]:
    kept = {name: value for name, value in base.headers.items() if name == "Content-Type"}
    return lambda text: replace(base, headers={**kept, **header(text)})


def _bodies(document: Json, told: Json) -> tuple[str, list[tuple[list[str], Json]]]:
    """Return the media type of the body, and of each shape of JSON the fields that take text and a sample."""
    content = told.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    if media != "application/json":
        return media, []
    shapes = [_resolved(document, content[media]["schema"])]
    shapes = [_resolved(document, one) for shape in shapes for one in shape.get("oneOf", [shape])]
    return media, [(list(_texts(document, shape)), _sample(document, shape)) for shape in shapes]


def _texts(document: Json, shape: Json, above: str = "") -> Iterator[str]:
    for name, schema in shape["properties"].items():
        options = [_resolved(document, one) for one in schema.get("anyOf", [schema])]
        for option in options:
            if "properties" in option:
                yield from _texts(document, option, f"{above}{name}.")
        if any(option.get("type") == "string" for option in options):
            yield above + name


def _sample(document: Json, shape: Json) -> Json:
    needed = {name: _resolved(document, shape["properties"][name]) for name in shape.get("required", ())}
    return {name: one.get("const", _SAMPLES[one["type"]]) for name, one in needed.items()}


def _with(sample: Json, name: str, text: str) -> Json:
    above, _, below = name.rpartition(".")
    return {**sample, **({above: {below: text}} if above else {below: text})}


def _resolved(document: Json, schema: Json) -> Json:
    while ref := schema.get("$ref"):
        schema = document["components"]["schemas"][ref.rpartition("/")[2]]
    return schema


async def send(port: int, asks: Iterable[bytes]) -> None:
    """Send every request to 127.0.0.1 at *port*, over many connections at once, and read every answer."""
    waiting = iter(asks)
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(_send(port, waiting))


async def _send(port: int, waiting: Iterator[bytes]) -> None:
    ask = next(waiting, None)
    while ask is not None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while ask is not None:
                writer.write(ask)
                closes = await _answered(reader)
                ask = next(waiting, None)
                if closes:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the service ended the connection after its last answer: this one is sent again
        finally:
            writer.close()


async def _answered(reader: asyncio.StreamReader) -> bool:
    """Read one answer; tell whether the connection closes after it."""
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next((line for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        await reader.readexactly(int(length.partition(b":")[2]))
    return b"connection: close" in head
