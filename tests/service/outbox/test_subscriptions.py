"""Each endpoint is a target that hears of its own client's events."""

import pytest
from harness import ACCOUNT, account, client
from hooked import SECRET

from models.outbox import webhook_target
from models.webhook import OPERATORS, WebhookEvent
from service.config.settings import validate
from service.crypto.field_encryption import FieldCipher
from service.outbox.outbox import Outbox, Subscription
from service.outbox.subscriptions import build_outbox
from service.webhooks.endpoints import endpoints

URL, SECOND = "https://shop.example/hooks", "https://shop.example/more"


@pytest.fixture
def tree() -> dict[str, object]:
    named = {"url": SECOND, "secret": SECRET, "events": ["login.completed"]}
    shop = client("shop", webhooks=[{"url": URL, "secret": SECRET}, named])
    clients = {"shop": shop, "club": client("club")}
    accounts = {"main": account(ACCOUNT, api_base="http://127.0.0.1:9")}
    return {"secret_key": "k" * 40, "accounts": accounts, "clients": clients}


def built(tree: dict[str, object]) -> Outbox:
    return build_outbox(validate(tree), FieldCipher.of([]))


def test_each_endpoint_has_a_subscription_to_its_events(tree: dict[str, object]) -> None:
    assert built(tree).subscriptions == {
        "shop": [
            Subscription(webhook_target("shop", URL), frozenset(WebhookEvent) - OPERATORS),
            Subscription(webhook_target("shop", SECOND), frozenset({WebhookEvent.LOGIN_COMPLETED})),
        ]
    }


def test_the_operator_hears_of_disabled_endpoints(tree: dict[str, object]) -> None:
    box = built(tree | {"operator": {"webhook": {"url": URL, "secret": SECRET}}})
    assert box.subscriptions[None] == [Subscription(webhook_target(None, URL), OPERATORS)]
    assert (box.hears(None), box.hears("shop"), box.hears("club")) == (True, True, False)


def test_every_target_is_one_that_the_sender_delivers_to(tree: dict[str, object]) -> None:
    tree |= {"operator": {"webhook": {"url": URL, "secret": SECRET}}}
    written = {it.target for heard in built(tree).subscriptions.values() for it in heard}
    assert written == {it.target for it in endpoints(validate(tree))}
