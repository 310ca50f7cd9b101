"""The OpenAPI document is well formed and describes every endpoint.

Covers: handlers.routes.
"""

import re

from harness import World
from jsonschema import Draft202012Validator
from openapi_document import METHODS, Contract, Json, nodes, operations, resolved, with_referenced

from handlers.http.problems import INTERNAL, PROBLEMS
from handlers.routes import ROUTES


async def test_the_document_has_the_form_of_openapi_3_1(document: Json) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= document["info"].keys()
    assert document.keys() <= {"openapi", "info", "servers", "paths", "webhooks", "components"}
    ids = [one["operationId"] for method, _, one in operations(document) if method != "options"]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", name)] == []
    for method, path, operation in operations(document):
        assert method in METHODS
        assert path.startswith("/")
        assert operation["summary"].endswith(".")
        assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])


async def test_every_reference_leads_somewhere(document: Json) -> None:
    refs = [node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)]
    assert len(refs) > 50
    for ref in refs:
        assert resolved(document, ref)
    schemes = document["components"]["securitySchemes"]
    for _, _, operation in operations(document):
        assert all(name in schemes for one in operation["security"] for name in one)


async def test_every_link_leads_to_an_operation_that_takes_what_it_gives(document: Json) -> None:
    by_id = {one.get("operationId"): one for _, _, one in operations(document)}
    links = [
        (response, leads)
        for one in by_id.values()
        for response in one["responses"].values()
        for leads in response.get("links", {}).values()
    ]
    assert len(links) > 10
    for response, leads in links:
        taken = {one["name"] for one in by_id[leads["operationId"]]["parameters"]}
        given = resolved(document, response["content"]["application/json"]["schema"]["$ref"])
        for name, expression in leads["parameters"].items():
            assert name in taken
            assert expression.removeprefix("$response.body#/") in given["properties"]


async def test_every_response_says_what_it_means_and_every_schema_is_one(document: Json) -> None:
    for _, _, operation in operations(document):
        for response in operation["responses"].values():
            assert response.get("$ref") or response["description"]
    schemas = [node["schema"] for node in nodes(document) if isinstance(node.get("schema"), dict)]
    for schema in [*schemas, *document["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)


async def test_every_path_parameter_is_described_and_required(document: Json) -> None:
    for _, path, operation in operations(document):
        described = {one["name"] for one in operation["parameters"] if one["in"] == "path" and one["required"]}
        assert described == set(re.findall(r"{(\w+)}", path))
        assert all({"name", "in", "schema"} <= one.keys() for one in operation["parameters"])


async def test_every_endpoint_is_described_and_every_described_endpoint_exists(document: Json) -> None:
    doors = {(route.method.lower(), re.sub(r"{(\w+):[^}]*}", r"{\1}", route.path)) for route in ROUTES}
    assert {(method, path) for method, path, _ in operations(document)} == doors


async def test_every_text_that_is_taken_has_a_longest_length(document: Json) -> None:
    """Red when a field of a body has no `max_length`, or a parameter is a TEXT."""
    # A preflight reads no parameter.
    read = [operation for method, _, operation in operations(document) if method != "options"]
    parameters = [one["schema"] for operation in read for one in operation["parameters"]]
    bodies = [
        media["schema"]
        for _, _, told in operations(document)
        for name, media in told.get("requestBody", {}).get("content", {}).items()
        if name == "application/json"
    ]
    taken = [*parameters, *with_referenced(document, bodies)]
    texts = [node for node in nodes(taken) if node.get("type") == "string" and not {"enum", "const"} & node.keys()]
    assert len(texts) > 50
    assert [node for node in texts if "maxLength" not in node] == []


async def test_every_problem_is_described(document: Json) -> None:
    slugs = {problem.slug for problem in (*PROBLEMS.values(), INTERNAL)}
    assert document["components"]["responses"].keys() == slugs
    told = {
        type_
        for _, _, operation in operations(document)
        for node in nodes([Contract(document).resolve(one) for one in operation["responses"].values()])
        for type_ in node.get("enum", ())
    }
    assert told == {f"/problems/{slug}" for slug in slugs}


async def test_the_document_names_the_service_as_it_is_reached(world: World, document: Json) -> None:
    assert document["servers"] == [{"url": world.url}]
