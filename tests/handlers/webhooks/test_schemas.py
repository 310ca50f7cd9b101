"""The bodies of webhooks in /openapi.json: each event has one, and no other body is valid under it.

Covers: handlers.webhooks.description.
"""

from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_document import Contract, Json, nodes, resolved, validate_webhook

from handlers.webhooks.schemas import PAYLOADS
from models.webhook import WebhookEvent

IDENTITY: Json = {
    "method": "scan",
    "kind": "official_account",
    "account": "main",
    "appid": "wx2c2769f8efd9abc2",
    "openid": "o6_bmjrPTlm6_2sgVt7hMZOPfL2M",
    "unionid": None,
    "userid": None,
    "subscribed": True,
}
OF_USER: Json = {"client": "shop", "user_id": "用户", "identity": IDENTITY}
DATA: dict[WebhookEvent, Json] = {
    WebhookEvent.BINDING_CREATED: OF_USER,
    WebhookEvent.BINDING_MOVED: {**OF_USER, "previous": "bao"},
    WebhookEvent.BINDING_REMOVED: {**OF_USER, "reason": "replaced"},
    WebhookEvent.LOGIN_COMPLETED: {**OF_USER, "ticket": "t"},
    WebhookEvent.REGISTRATION_COMPLETED: {**OF_USER, "ticket": "t"},
    WebhookEvent.FOLLOWED: OF_USER,
    WebhookEvent.UNFOLLOWED: {**OF_USER, "identity": {**IDENTITY, "subscribed": False}},
    WebhookEvent.PERSON_CONFLICT: {
        "client": "shop",
        "user_ids": ["anna", "bao"],
        "identities": [{**IDENTITY, "user_id": "anna"}, {**IDENTITY, "user_id": "bao", "openid": None}],
    },
    WebhookEvent.WEBHOOK_DISABLED: {
        "client": "shop",
        "url": "https://shop.example/webhooks",
        "reason": "gone",
        "since": "2026-11-30T12:00:00Z",
    },
}


def payload(event: WebhookEvent, **data: Any) -> Json:
    return {"type": event.value, "timestamp": "2026-11-30T12:00:00Z", "data": {**DATA[event], **data}}


async def test_each_event_is_described_as_a_post(document: Json) -> None:
    assert set(document["webhooks"]) == set(WebhookEvent) == set(PAYLOADS) == set(DATA)
    for path in document["webhooks"].values():
        post = path["post"]
        assert post["summary"].endswith(".")
        assert {one["name"] for one in post["parameters"]} == {
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
        }
        for one in post["parameters"]:
            Draft202012Validator.check_schema(one["schema"])
        assert {"2XX", "410", "default"} == post["responses"].keys()
    refs = [node["$ref"] for node in nodes(document["webhooks"]) if "$ref" in node]
    assert len(refs) == len(WebhookEvent)
    for ref in refs:
        assert resolved(document, ref)


async def test_examples_are_valid_and_have_every_field(document: Json) -> None:
    """Red when a field that the contract names is missing in a schema, or is not required."""
    for event in WebhookEvent:
        validate_webhook(document, payload(event))
        for field in DATA[event]:
            one = payload(event)
            del one["data"][field]
            with pytest.raises(ValidationError, match=f"'{field}' is a required property"):
                validate_webhook(document, one)
    for field in IDENTITY:
        without = {name: value for name, value in IDENTITY.items() if name != field}
        with pytest.raises(ValidationError):
            validate_webhook(document, payload(WebhookEvent.FOLLOWED, identity=without))


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (WebhookEvent.BINDING_CREATED, {"profile": None}),
        (WebhookEvent.BINDING_CREATED, {"identity": {**IDENTITY, "profile": None}}),
        (WebhookEvent.BINDING_CREATED, {"identity": {**IDENTITY, "kind": "person"}}),
        (WebhookEvent.BINDING_REMOVED, {"reason": "because"}),
        (WebhookEvent.BINDING_MOVED, {"previous": None}),
        (WebhookEvent.WEBHOOK_DISABLED, {"since": "yesterday"}),
        (WebhookEvent.WEBHOOK_DISABLED, {"reason": "HTTP 500"}),
    ],
    ids=["more", "profile", "kind", "reason", "previous", "since", "why"],
)
async def test_other_bodies_are_not(event: WebhookEvent, data: Json, document: Json) -> None:
    with pytest.raises(ValidationError):
        validate_webhook(document, payload(event, **data))


async def test_a_body_is_valid_under_its_own_type_alone(document: Json) -> None:
    one = payload(WebhookEvent.LOGIN_COMPLETED)
    valid = [
        event
        for event, shape in PAYLOADS.items()
        if Contract(document).fits({"$ref": f"#/components/schemas/{shape.__name__}"}, one)
    ]
    assert valid == [WebhookEvent.LOGIN_COMPLETED]
