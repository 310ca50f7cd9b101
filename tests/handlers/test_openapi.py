"""The description fits the service: it is well formed, lacks no door, and every real answer is as it says."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, Page, World, basic, client
from jsonschema import Draft202012Validator
from portal_client import bearer, follow, link, open_, press, visit
from yarl import URL

from handlers.assets import SCRIPTS
from handlers.http.patterns import PRINTABLE
from handlers.http.problems import INTERNAL, PROBLEMS
from handlers.routes import ROUTES
from service import app_keys
from service.rate_limiting.open_waits import STREAMS

Json = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture
async def document(world: World) -> Json:
    response = await world.call("GET", "/openapi.json")
    assert (response.status, response.content_type) == (200, "application/json")
    return dict(await response.json())


class Contract:
    """Holds answers against the description; counts which were seen."""

    def __init__(self, document: Json) -> None:
        self._document = document
        # A client must take fields it does not know; here, one that is not described is a fault.
        self._schemas = {name: _closed(schema) for name, schema in document["components"]["schemas"].items()}

    async def holds(self, response: ClientResponse) -> ClientResponse:
        """Fail unless *response* is described, with its media type, headers and body; return it."""
        operation = self._operation(response.method, response.url.raw_path)
        described = operation["responses"].get(str(response.status))
        assert described, f"{response.method} {response.url.path} may not answer {response.status}"
        described = self._resolve(described)
        for name, header in described["headers"].items():
            schema, value = self._resolve(header)["schema"], response.headers[name]
            self._check(schema, int(value) if schema.get("type") == "integer" else value)
        content = described.get("content", {})
        if not content:
            assert await response.read() == b""
            return response
        assert response.content_type in content, response.content_type
        if response.content_type.endswith("json"):
            self._check(content[response.content_type]["schema"], await response.json(content_type=None))
        return response

    def validate(self, name: str, value: Any) -> None:
        self._check({"$ref": f"#/components/schemas/{name}"}, value)

    def fits(self, schema: Json, value: Any) -> bool:
        """Tell whether *value* is as *schema* says."""
        return self._validator(schema).is_valid(value)

    def find(self, operation: str) -> tuple[str, Json]:
        """Return the path and the description of the operation with this id."""
        found = [
            (path, one) for _, path, one in _operations(self._document) if one.get("operationId") == operation
        ]
        [(path, described)] = found
        return path, described

    def field(self, operation: str, name: str) -> Json:
        """Return the schema of a parameter, or of a field of the body."""
        _, described = self.find(operation)
        for one in described["parameters"]:
            if one["name"] == name:
                return dict(one["schema"])
        body = described["requestBody"]["content"]["application/json"]["schema"]
        return dict(_at(self._document, body["$ref"])["properties"][name])

    def _check(self, schema: Json, value: Any) -> None:
        self._validator(schema).validate(value)

    def _validator(self, schema: Json) -> Draft202012Validator:
        whole = {**schema, "components": {"schemas": self._schemas}}
        return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def _operation(self, method: str, path: str) -> Json:
        for pattern, operations in self._document["paths"].items():
            form = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern))
            if re.fullmatch(form, path) and method.lower() in operations:
                return dict(operations[method.lower()])
        raise AssertionError(f"{method} {path} is not described")

    def _resolve(self, described: Json) -> Json:
        while ref := described.get("$ref"):
            described = _at(self._document, ref)
        return described


def _closed(schema: Json) -> Json:
    return {**schema, "additionalProperties": schema.get("additionalProperties", False)}


def _at(document: Json, ref: str) -> Json:
    here: Any = document
    for step in ref.removeprefix("#/").split("/"):
        here = here[step]
    return dict(here)


@pytest.fixture
async def contract(document: Json) -> Contract:
    return Contract(document)


USER_IDS = (["4 2", "😀", "名字", "a/b", "{", "x" * 128], ["\n", "\x7f", "\u00a0", "\u200b", "\ue000", "x" * 129])
BODIES: dict[str, dict[str, tuple[list[Any], list[Any]]]] = {
    "createTicket": {
        "purpose": (["bind"], ["steal", None]),
        "client_id": (["shop", None], ["Shop", "x" * 65, 1]),
        "user_id": (USER_IDS[0], [*USER_IDS[1], "", ".", "..", None]),
        "account": (["main", None], ["Main", "main ", "x" * 65]),
        "lang": (["zh", "en", None], ["fr", "ZH", ""]),
        "account_name": (["n" * 256, "", None], ["n" * 257]),
        "session": (["s" * 128, "\n", ""], ["s" * 129, "\0", None]),
        "refresh": ([True, False], ["true", 1, None]),
        "visitor": (
            [{}, {"ip": "i" * 64, "user_agent": "u" * 1024}, None],
            [{"ip": "i" * 65}, {"user_agent": "u" * 1025}, {"name": "anna"}],
        ),
        "state": ([], ["a bind has none"]),
    },
    "createPortalSession": {
        "user_id": (USER_IDS[0], [*USER_IDS[1], "", ".", ".."]),
        "return_url": (
            [ORIGIN, f"{ORIGIN}/x?y#z", None],
            ["/x", "javascript:alert(1)", f"{ORIGIN}/ x", f"{ORIGIN}/\\"],
        ),
        "account_name": (["n" * 256, None], ["n" * 257]),
        "only_login": ([True], ["true"]),
        "lang": (["zh", None], ["fr"]),
    },
}
"""What bodies may hold, and what not: fields by operation, each with good values and bad ones."""
GOOD_BODIES = {
    "createTicket": {"purpose": "bind", "user_id": "42"},
    "createPortalSession": {"user_id": "42"},
}
PARAMETERS: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "readBindings": {"user_id": USER_IDS},
    "closePortalSessions": {"user_id": (USER_IDS[0], [*USER_IDS[1], "", ".", ".."])},
    "readQrCodePng": {"size": (["128", "1024"], ["127", "1025", "x", ""])},
}
"""The same for parameters of the address and the query."""


@pytest.mark.parametrize(("operation", "name"), [(one, name) for one in BODIES for name in BODIES[one]])
async def test_bodies_are_taken_or_refused_as_described(
    world: World, contract: Contract, operation: str, name: str
) -> None:
    """Red when a field's schema allows more or less than the service takes."""
    path, described = contract.find(operation)
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    for good, values in zip((True, False), BODIES[operation][name], strict=True):
        for value in values:
            body = {**GOOD_BODIES[operation], name: value}
            assert contract.fits(schema, body) is good, value
            assert (await world.site("POST", path, body)).status in ((200, 201) if good else (400,)), value


@pytest.mark.parametrize(("operation", "name"), [(one, name) for one in PARAMETERS for name in PARAMETERS[one]])
async def test_parameters_are_taken_or_refused_as_described(
    world: World, contract: Contract, operation: str, name: str
) -> None:
    """Red when a parameter's schema allows more or less than the service takes."""
    path, _ = contract.find(operation)
    page = await world.login()
    path = path.replace("{capability}.png", page.made["qr_png"].removeprefix("/v1/qr/"))
    schema = contract.field(operation, name)
    for good, values in zip((True, False), PARAMETERS[operation][name], strict=True):
        for value in values:
            typed = int(value) if schema["type"] == "integer" and value.isdigit() else value
            assert contract.fits(schema, typed) is good, value
            sent = quote(value, safe="")
            here = path.replace(f"{{{name}}}", sent) if f"{{{name}}}" in path else f"{path}?{name}={sent}"
            method = "DELETE" if operation == "closePortalSessions" else "GET"
            response = await world.http.request(method, URL(world.url + here, encoded=True), headers=basic())
            assert response.status in ((200, 204) if good else (400,)), value


async def test_the_service_takes_what_it_issued_and_its_description_allows_it(
    world: World, contract: Contract
) -> None:
    """Red when the pattern of a ticket, a code or another text that the service makes does not fit it."""
    page, bound = await world.login(), await world.bind("42")
    await world.scan(await world.person(), page)
    code = (await page.poll())["code"]
    registration = (await (await world.exchange(code)).json())["registration"]
    token = (await link(world))["token"]
    issued = {
        ("readTicket", "ticket"): [page.id, bound.id],
        ("readQrCodeSvg", "capability"): [page.made["qr_svg"].removeprefix("/v1/qr/").removesuffix(".svg")],
        ("readPortalSession", "session"): [token.partition(".")[0]],
        ("followPortalLink", "token"): [token],
        ("readPinnedScript", "version"): [script.version for script in SCRIPTS.values()],
        ("exchangeCode", "code"): [code],
        ("createBinding", "registration"): [registration],
    }
    for (operation, name), values in issued.items():
        for value in values:
            assert contract.fits(contract.field(operation, name), value), (name, value)
            assert not contract.fits(contract.field(operation, name), f"{value[:-1]}!")
            assert not contract.fits(contract.field(operation, name), value[:15])


def test_the_pattern_of_user_ids_forbids_what_is_not_printable_and_nothing_else() -> None:
    """As far as it can: it leaves unassigned code points, and those beyond U+FFFF, to the service."""
    fits = re.compile(PRINTABLE).fullmatch
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [c for c in every if c.isprintable() and not fits(c)] == []
    known = [c for c in every[:0x10000] if unicodedata.category(c) not in ("Cn", "Cs")]
    assert [c for c in known if fits(c) and not c.isprintable()] == []


@pytest.fixture
async def asked(make: Callable[..., Any]) -> World:
    """A world whose phones are asked to choose a number."""
    return await make(clients={"shop": client("shop", confirm="choose"), "club": client("club")})


def _nodes(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from _nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from _nodes(below)


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


async def test_the_document_has_the_form_of_openapi_3_1(document: Json) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= document["info"].keys()
    assert document.keys() <= {"openapi", "info", "servers", "paths", "components", "security", "tags"}
    ids = [one["operationId"] for method, _, one in _operations(document) if method != "options"]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []
    for method, path, operation in _operations(document):
        assert method in METHODS
        assert path.startswith("/")
        assert operation["summary"].endswith(".")
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])


async def test_every_reference_leads_somewhere(document: Json) -> None:
    refs = [node["$ref"] for node in _nodes(document) if isinstance(node.get("$ref"), str)]
    assert len(refs) > 50
    for ref in refs:
        assert _at(document, ref)
    schemes = document["components"]["securitySchemes"]
    for _, _, operation in _operations(document):
        assert all(name in schemes for one in operation["security"] for name in one)


async def test_every_link_leads_to_an_operation_that_takes_what_it_gives(document: Json) -> None:
    operations = {one.get("operationId"): one for _, _, one in _operations(document)}
    links = [
        (response, leads)
        for one in operations.values()
        for response in one["responses"].values()
        for leads in response.get("links", {}).values()
    ]
    assert len(links) > 10
    for response, leads in links:
        taken = {one["name"] for one in operations[leads["operationId"]]["parameters"]}
        given = _at(document, response["content"]["application/json"]["schema"]["$ref"])
        for name, expression in leads["parameters"].items():
            assert name in taken
            assert expression.removeprefix("$response.body#/") in given["properties"]


async def test_every_response_says_what_it_means_and_every_schema_is_one(document: Json) -> None:
    for _, _, operation in _operations(document):
        for response in operation["responses"].values():
            assert response.get("$ref") or response["description"]
    schemas = [node["schema"] for node in _nodes(document) if isinstance(node.get("schema"), dict)]
    for schema in [*schemas, *document["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)


async def test_every_path_parameter_is_described_and_required(document: Json) -> None:
    for _, path, operation in _operations(document):
        described = {one["name"] for one in operation["parameters"] if one["in"] == "path" and one["required"]}
        assert described == set(re.findall(r"{(\w+)}", path))
        assert all({"name", "in", "schema"} <= one.keys() for one in operation["parameters"])


async def test_every_door_is_described_and_every_described_door_exists(document: Json) -> None:
    doors = {(route.method.lower(), re.sub(r"{(\w+):[^}]*}", r"{\1}", route.path)) for route in ROUTES}
    assert {(method, path) for method, path, _ in _operations(document)} == doors


async def test_every_text_that_is_taken_has_a_longest_length(document: Json) -> None:
    """Red when a field of a body has no `max_length`, or a parameter is a TEXT."""
    # A preflight reads no parameter.
    read = [operation for method, _, operation in _operations(document) if method != "options"]
    parameters = [one["schema"] for operation in read for one in operation["parameters"]]
    bodies = [
        media["schema"]
        for _, _, told in _operations(document)
        for name, media in told.get("requestBody", {}).get("content", {}).items()
        if name == "application/json"
    ]
    taken = [*parameters, *_whole(document, bodies)]
    texts = [
        node for node in _nodes(taken) if node.get("type") == "string" and not {"enum", "const"} & node.keys()
    ]
    assert len(texts) > 50
    assert [node for node in texts if "maxLength" not in node] == []


def _whole(document: Json, schemas: list[Json]) -> Iterator[Json]:
    """Give *schemas* and all that they refer to."""
    seen: set[str] = set()
    while schemas:
        schema = schemas.pop()
        yield schema
        refs = {node["$ref"] for node in _nodes(schema) if "$ref" in node} - seen
        seen |= refs
        schemas += [_at(document, ref) for ref in sorted(refs)]


async def test_every_problem_is_described(document: Json) -> None:
    slugs = {problem.slug for problem in (*PROBLEMS.values(), INTERNAL)}
    assert document["components"]["responses"].keys() == slugs
    told = {
        type_
        for _, _, operation in _operations(document)
        for node in _nodes([Contract(document)._resolve(one) for one in operation["responses"].values()])
        for type_ in node.get("enum", ())
    }
    unreachable_from_a_door = {"/problems/method-not-allowed"}
    assert told == {f"/problems/{slug}" for slug in slugs} - unreachable_from_a_door


async def test_the_document_names_the_service_as_it_is_reached(world: World, document: Json) -> None:
    assert document["servers"] == [{"url": world.url}]


async def test_a_login_is_as_described(world: World, contract: Contract) -> None:
    person, page = await world.bound("42"), await world.login(state="xyz")
    contract.validate("TicketMade", page.made)
    pending = await contract.holds(await page.raw())
    await contract.holds(await page.raw(If_None_Match=pending.headers["ETag"]))
    await world.scan(person, page)
    state = await (await contract.holds(await page.raw())).json()
    await contract.holds(await world.exchange(state["code"]))
    await contract.holds(await world.exchange(state["code"]))
    await contract.holds(await page.raw("DELETE"))
    listed = await contract.holds(await world.site("GET", "/v1/bindings/42"))
    assert (await listed.json())["bindings"][0]["last_login_at"]


async def test_a_question_is_as_described(asked: World) -> None:
    contract = Contract(await (await asked.call("GET", "/openapi.json")).json())
    person, page = await asked.person(), await asked.login()
    await asked.scan(person, page)
    state = await (await contract.holds(await page.raw())).json()
    assert state["match"]
    await asked.say(person, "00")
    state = await (await contract.holds(await page.raw())).json()
    assert state["reason"] == "wrong_number"


async def test_a_registration_is_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    await world.scan(await world.person(), page)
    told = await contract.holds(await world.exchange((await page.poll())["code"]))
    body = {"user_id": "7", "registration": (await told.json())["registration"]}
    for status in (201, 200):
        assert (await contract.holds(await world.site("POST", "/v1/bindings", body))).status == status
    await contract.holds(await world.site("POST", "/v1/bindings", {**body, "user_id": "8"}))
    for status in (204, 404):
        assert (await contract.holds(await world.site("DELETE", "/v1/bindings/7?account=main"))).status == status


async def test_a_conflict_is_as_described(world: World, contract: Contract) -> None:
    await world.bound("7")
    page = await world.login()
    await world.scan(await world.person(), page)
    told = await (await world.exchange((await page.poll())["code"])).json()
    body = {"user_id": "7", "registration": told["registration"]}
    answer = await contract.holds(await world.site("POST", "/v1/bindings", body))
    assert (await answer.json())["reason"] == "user_taken"


async def test_bind_tickets_are_as_described(world: World, contract: Contract) -> None:
    wanted = {"purpose": "bind", "user_id": "9", "session": "s"}
    for status in (201, 200):
        assert (await contract.holds(await world.site("POST", "/v1/tickets", wanted))).status == status
    page = await world.bind("9")
    assert (await contract.holds(await page.raw("DELETE"))).status == 204
    assert (await contract.holds(await page.raw("DELETE"))).status == 409


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b'{"purpose":"steal"}', {"Content-Type": "application/json"}),
        (401, b'{"purpose":"login","client_id":"shop"}', {"Content-Type": "application/json"}),
        (
            403,
            b'{"purpose":"login","client_id":"shop"}',
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
        ),
        (413, b" " * 70_000, {"Content-Type": "application/json"}),
        (415, b"purpose=login", {"Content-Type": "text/plain"}),
    ],
)
async def test_a_refused_ticket_is_as_described(
    world: World, contract: Contract, status: int, body: bytes, headers: dict[str, str]
) -> None:
    response = await world.call("POST", "/v1/tickets", data=body, headers=headers)
    assert (await contract.holds(response)).status == status


async def test_too_many_logins_are_refused_as_described(make: Callable[..., Any]) -> None:
    world: World = await make(limits={"tickets_per_address": 1})
    contract = Contract(await (await world.call("GET", "/openapi.json")).json())
    await world.login()
    body, headers = {"purpose": "login", "client_id": "shop"}, {"Origin": ORIGIN}
    response = await world.call("POST", "/v1/tickets", json=body, headers=headers)
    assert (await contract.holds(response)).status == 429


async def test_following_refuses_as_described(world: World, contract: Contract) -> None:
    page, other = await world.login(), await world.login()
    stranger = Page(world, {**page.made, "secret": other.made["secret"]}, 201)
    for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert (await contract.holds(await stranger.raw(method, suffix))).status == 404
        bare = await world.call(method, f"/v1/tickets/{page.id}{suffix}")
        assert (await contract.holds(bare)).status == 401


async def test_a_stream_is_as_described(world: World, contract: Contract) -> None:
    person, page = await world.person(), await world.login()
    await world.scan(person, page)
    response = await contract.holds(await page.raw(suffix="/events"))
    event, tag, data = (await response.text()).strip().splitlines()
    assert event == "event: status"
    assert tag.startswith('id: "')
    contract.validate("TicketState", json.loads(data.removeprefix("data: ")))


async def test_too_many_streams_are_refused_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    address = f"{world.url}/v1/tickets/{page.id}/events"
    open_streams = [await world.http.get(address, headers=page.bearer) for _ in range(STREAMS)]
    assert (await contract.holds(await page.raw(suffix="/events"))).status == 429
    for stream in open_streams:
        stream.close()


async def test_pictures_are_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    for path in (page.made["qr_svg"], page.made["qr_png"], f"{page.made['qr_png']}?size=1", "/v1/qr/no.svg"):
        await contract.holds(await world.call("GET", path))


async def test_pushes_are_answered_as_described(world: World, contract: Contract) -> None:
    assert (await contract.holds(await world.call("GET", "/wechat/main"))).status == 403
    assert (await contract.holds(await world.call("POST", "/wechat/main", data=b"<xml/>"))).status == 403
    assert (await contract.holds(await world.call("POST", "/wechat/main", data=b" " * 70_000))).status == 413
    packed = await world.call("POST", "/wechat/main", data=b"x", headers={"Content-Encoding": "gzip"})
    assert (await contract.holds(packed)).status == 415
    assert (await contract.holds(await world.call("GET", "/wechat/nobody"))).status == 404


async def test_health_and_preflights_are_as_described(world: World, contract: Contract) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert (await contract.holds(await world.call("GET", path))).status == 200
    await contract.holds(await world.call("OPTIONS", "/v1/tickets", headers={"Origin": ORIGIN}))
    world.app[app_keys.DRAINING].set()
    assert (await contract.holds(await world.call("GET", "/readyz"))).status == 503


async def test_a_visit_to_the_portal_is_as_described(world: World, contract: Contract) -> None:
    await world.bound("42")
    wanted = {"user_id": "42", "account_name": "anna", "return_url": ORIGIN, "only_login": True}
    assert (await contract.holds(await world.site("POST", "/v1/portal-sessions", wanted))).status == 201
    here = await visit(world, **{**wanted, "lang": "zh"})
    doors = (
        ("GET", "", 200), ("POST", "/tickets", 201), ("POST", "/tickets", 200), ("DELETE", "/bindings/main", 204),
        ("DELETE", "/bindings/main", 404), ("DELETE", "", 204), ("DELETE", "", 404),
    )  # fmt: skip
    for method, path, status in doors:
        how = {"json": {}} if method == "POST" else {}
        assert (await contract.holds(await here.call(method, path, **how))).status == status
    await contract.holds(await (await visit(world)).call())


async def test_the_portals_pages_are_as_described(world: World, contract: Contract) -> None:
    made = await link(world)
    prefetched = await follow(world, made, Sec_Purpose="prefetch")
    for status, response in (
        (403, prefetched),
        (200, await follow(world, made, origin=None)),
        (200, await world.call("POST", f"/portal/open/{made['token']}")),
        (303, await press(world, await link(world))),
        (303, await follow(world, made)),
        (410, await follow(world, made)),
        (404, await world.call("GET", "/portal/open/x")),
        (200, await world.call("GET", "/portal/x?lang=en")),
        (200, style := await world.call("GET", "/portal.css")),
        (304, await world.call("GET", "/portal.css", headers={"If-None-Match": style.headers["ETag"]})),
        (200, icon := await world.call("GET", "/portal.svg")),
        (304, await world.call("GET", "/portal.svg", headers={"If-None-Match": icon.headers["ETag"]})),
    ):
        assert (await contract.holds(response)).status == status


async def test_the_portal_refuses_as_described(world: World, contract: Contract) -> None:
    here = await visit(world)
    wrong = {
        400: {"data": b"{", "headers": {**bearer(here.secret), "Content-Type": "application/json"}},
        401: {"headers": {}},
        403: {"headers": {**here.cookie, "Sec-Fetch-Site": "same-site"}},
        404: {"headers": bearer("x")},
        413: {
            "data": b" " * 70_000,
            "headers": {**bearer(here.secret), "Content-Type": "application/json"},
        },
        415: {"data": b"x", "headers": {**bearer(here.secret), "Content-Type": "text/plain"}},
    }
    for status, how in wrong.items():
        assert (await contract.holds(await here.call("POST", "/tickets", **how))).status == status
    for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/bindings/main")):
        for status in (401, 403, 404):
            assert (await contract.holds(await here.call(method, path, **wrong[status]))).status == status
    assert (await contract.holds(await here.call("POST", "/open", headers={}))).status == 401
    assert (await contract.holds(await open_(world, here.token))).status == 404
    for status, body in ((400, {}), (413, {"user_id": "x" * 70_000})):
        assert (await contract.holds(await world.site("POST", "/v1/portal-sessions", body))).status == status
    bare = await world.call("POST", "/v1/portal-sessions", json={"user_id": "42"})
    assert (await contract.holds(bare)).status == 401
    assert (await contract.holds(await world.call("OPTIONS", "/v1/portal-sessions/x"))).status == 204
    for status, query in ((204, "?user_id=42"), (400, "")):
        assert (await contract.holds(await world.site("DELETE", f"/v1/portal-sessions{query}"))).status == status


async def test_too_many_codes_of_the_portal_are_refused_as_described(make: Callable[..., Any]) -> None:
    world: World = await make(limits={"tickets_per_address": 1})
    contract = Contract(await (await world.call("GET", "/openapi.json")).json())
    here = await visit(world)
    for status in (201, 429):
        assert (await contract.holds(await here.call("POST", "/tickets", json={}))).status == status
