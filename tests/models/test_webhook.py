"""Events of webhooks. Red when a name differs from contract.md 9, or a site would hear of the operator's."""

from models.webhook import OPERATORS, RemovalReason, WebhookEvent


def test_the_names_are_those_of_the_contract() -> None:
    assert [str(one) for one in WebhookEvent] == [
        "binding.created",
        "binding.moved",
        "binding.removed",
        "login.completed",
        "registration.completed",
        "wechat.followed",
        "wechat.unfollowed",
        "person.conflict",
        "webhook.disabled",
    ]
    assert set(RemovalReason) == {"user", "site", "unfollowed", "erased", "replaced"}


def test_only_the_operator_hears_of_disabled_webhooks() -> None:
    assert {WebhookEvent.WEBHOOK_DISABLED} == OPERATORS
