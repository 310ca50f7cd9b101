"""The endpoints of a configuration. Red when two share a name, or when a name or a log line shows a token."""

import re

from bad_webhooks import KEY, SECRET, URL
from config_files import CLIENT, tree

from models.webhook import WebhookEvent
from service.config.settings import validate
from service.webhooks.endpoints import Endpoint, endpoints
from service.webhooks.signatures import Ed25519Signer, HmacSigner

HOOK = {"url": f"{URL}?token=Xk9Vw3Jq8Zp5", "secret": SECRET}


def named(client: str | None, url: str) -> Endpoint:
    return Endpoint(client, url, frozenset(), ())


def test_all_endpoints_are_listed_the_operators_last() -> None:
    values = tree(clients__shop__webhooks=[HOOK, {"url": URL, "key": KEY, "events": ["wechat.followed"]}])
    values["clients"]["forum"] = {**CLIENT, "webhooks": [{**HOOK, "allow_private": True}]}
    values["operator"] = {"webhook": {**HOOK, "url": "http://localhost/", "allow_private": True}}
    found = endpoints(validate(values))
    assert [(one.client, one.allow_private, len(one.events)) for one in found] == [
        ("shop", False, 8),
        ("shop", False, 1),
        ("forum", True, 8),
        (None, True, 1),
    ]
    assert found[3].events == {WebhookEvent.WEBHOOK_DISABLED}
    assert [type(one.signers[0]) for one in found] == [HmacSigner, Ed25519Signer, HmacSigner, HmacSigner]


def test_an_endpoint_is_named_by_client_and_url_alone() -> None:
    keys = {named(*of).target for of in (("shop", URL), ("forum", URL), ("shop", f"{URL}/"), (None, URL))}
    assert len(keys) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", key) for key in keys)
    assert named("shop", URL).target == "O5vz8EkDrGfQJJ32UnnB_g"
    (one,) = endpoints(validate(tree(clients__shop__webhooks=[{"url": URL, "key": KEY, "allow_private": True}])))
    assert one.target == named("shop", URL).target


def test_what_is_shown_has_no_query_and_no_key() -> None:
    (one,) = endpoints(validate(tree(clients__shop__webhooks=[HOOK])))
    assert one.shown == URL
    assert "Xk9V" not in repr(one) + one.target
    assert SECRET not in repr(one)
