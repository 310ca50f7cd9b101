"""The schemas of requests accept exactly what the service accepts."""

from typing import Any
from urllib.parse import quote

import pytest
from harness import ORIGIN, World, basic
from openapi_document import Contract
from portal_client import link
from yarl import URL

from handlers.assets import SCRIPTS

USER_IDS = (["4 2", "😀", "名字", "a/b", "{", "x" * 128], ["\n", "\x7f", "\u00a0", "\u200b", "\ue000", "x" * 129])
BODIES: dict[str, dict[str, tuple[list[Any], list[Any]]]] = {
    "createTicket": {
        "purpose": (["bind"], ["steal", None]),
        "client_id": (["shop", None], ["Shop", "x" * 65, 1]),
        "user_id": (USER_IDS[0], [*USER_IDS[1], "", ".", "..", None]),
        "method": (["scan", None], ["face", "Scan", "", 1]),
        "account": (["main", None], ["Main", "main ", "x" * 65]),
        "lang": (["zh", "en", None], ["fr", "ZH", ""]),
        "account_name": (["n" * 256, "", None], ["n" * 257]),
        "session": (["s" * 128, "\n", ""], ["s" * 129, "\0", None]),
        "refresh": ([True, False], ["true", 1, None]),
        "visitor": (
            [{}, {"ip": "i" * 64, "user_agent": "u" * 1024}, None],
            [{"ip": "i" * 65}, {"user_agent": "u" * 1025}, {"name": "anna"}],
        ),
        "return_url": ([None], ["u" * 2049, 1]),
        "state": ([None], ["s" * 257, "\0"]),
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
"""Fields of bodies by operation, each with values that are accepted and values that are refused."""
GOOD_BODIES = {
    "createTicket": {"purpose": "bind", "user_id": "42"},
    "createPortalSession": {"user_id": "42"},
}
PARAMETERS: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "readBindings": {"user_id": USER_IDS},
    "closePortalSessions": {"user_id": (USER_IDS[0], [*USER_IDS[1], "", ".", ".."])},
    "readQrCodePng": {"size": (["128", "1024"], ["127", "1025", "x", ""])},
}
"""The same for path and query parameters."""


@pytest.mark.parametrize(("operation", "name"), [(one, name) for one in BODIES for name in BODIES[one]])
async def test_bodies_are_accepted_or_refused_as_described(
    world: World, contract: Contract, operation: str, name: str
) -> None:
    """Red when a field's schema accepts more or less than the service does."""
    path, described = contract.find(operation)
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    for good, values in zip((True, False), BODIES[operation][name], strict=True):
        for value in values:
            body = {**GOOD_BODIES[operation], name: value}
            assert contract.fits(schema, body) is good, value
            assert (await world.site("POST", path, body)).status in ((200, 201) if good else (400,)), value


@pytest.mark.parametrize(("operation", "name"), [(one, name) for one in PARAMETERS for name in PARAMETERS[one]])
async def test_parameters_are_accepted_or_refused_as_described(
    world: World, contract: Contract, operation: str, name: str
) -> None:
    """Red when a parameter's schema accepts more or less than the service does."""
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


async def test_issued_tickets_and_codes_fit_their_patterns(world: World, contract: Contract) -> None:
    """Red when a pattern refuses a ticket, a code or another token that the service issues."""
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
