"""The settings of webhooks: what is accepted. What is refused is in tests/lib/bad_webhooks.py."""

import json

import pytest
from bad_webhooks import KEY, SECRET, URL
from config_files import tree

from models.webhook import WebhookEvent
from service.config.settings import Settings, validate

OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def configured(**hook: object) -> Settings:
    return validate(tree(clients__shop__webhooks=[{"url": URL, "secret": SECRET, **hook}]))


def test_a_site_hears_of_all_its_events_unless_it_names_some() -> None:
    (hook,) = configured().clients["shop"].webhooks
    assert set(hook.events) == set(WebhookEvent) - {WebhookEvent.WEBHOOK_DISABLED}
    assert not hook.allow_private
    (hook,) = configured(events=["login.completed"]).clients["shop"].webhooks
    assert hook.events == (WebhookEvent.LOGIN_COMPLETED,)


def test_no_webhook_is_the_default() -> None:
    settings = validate(tree())
    assert (settings.clients["shop"].webhooks, settings.operator.webhook) == ((), None)
    assert validate(tree(operator=None)).operator.webhook is None
    assert validate(tree(operator={"webhook": None})).operator.webhook is None


def test_two_secrets_or_keys_stand_newest_first() -> None:
    (hook,) = configured(secret=[SECRET, OTHER]).clients["shop"].webhooks
    assert [one.get_secret_value() for one in hook.secret] == [SECRET, OTHER]
    (hook,) = configured(secret="", key=KEY).clients["shop"].webhooks
    assert [one.get_secret_value() for one in hook.key] == [KEY]


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example:8443/a%20b?token=a&b=?",
        "https://XN--fiq228c.example/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]:8443/",
        f"{URL}?{'x' * 2048}"[:2048],
    ],
    ids=["a host", "all parts", "punycode", "IPv4", "IPv6", "2048 characters"],
)
def test_a_public_address_is_kept_as_it_is_written(url: str) -> None:
    (hook,) = configured(url=url).clients["shop"].webhooks
    assert hook.url == url


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8001/", "http://localhost/", "https://10.0.0.1/", "http://receiver:80/", "http://[::1]/"],
)
def test_a_private_address_is_accepted_with_allow_private(url: str) -> None:
    (hook,) = configured(url=url, allow_private=True).clients["shop"].webhooks
    assert hook.url == url


def test_webhooks_are_read_from_variables() -> None:
    environ = {
        "SCANBIND_CLIENTS__SHOP__WEBHOOKS": json.dumps([{"url": URL, "secret": [SECRET, OTHER]}]),
        "SCANBIND_OPERATOR__WEBHOOK__URL": "http://127.0.0.1/",
        "SCANBIND_OPERATOR__WEBHOOK__ALLOW_PRIVATE": "true",
        "SCANBIND_OPERATOR__WEBHOOK__SECRET": f"{OTHER},{SECRET}",
    }
    settings = validate(tree(), environ)
    assert settings.clients["shop"].webhooks == configured(secret=[SECRET, OTHER]).clients["shop"].webhooks
    assert settings.operator.webhook
    assert [one.get_secret_value() for one in settings.operator.webhook.secret] == [OTHER, SECRET]


def test_neither_secret_nor_url_is_shown() -> None:
    shown = repr(configured(url=f"{URL}?token=Xk9Vw3Jq8Zp5"))
    assert SECRET not in shown
    assert "Xk9Vw3Jq8Zp5" not in shown
