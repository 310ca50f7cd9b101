"""A draft has generated secrets of their form, and of the client's secret only the hash."""

import re
from base64 import b64decode, b64encode

import pytest
from setting_up import answers

from service.config.settings import ConfigError, validate
from service.crypto.client_secrets import ClientSecrets
from service.setup.drafting import draft, fresh_aes_key, fresh_token
from service.setup.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_the_printed_secret_proves_who_the_site_is(kind: str) -> None:
    made = draft(answers(kind))
    clients = ClientSecrets(validate(made.values).clients)
    assert clients.prove("shop", made.client_secret.encode())
    assert made.client_secret not in repr(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_generated_for_stores_that_are_not_embedded(kind: str) -> None:
    """`serve` generates one in data_dir for embedded stores, which `scanbind keys rotate` can replace."""
    assert "secret_key" not in draft(answers(kind)).values
    made = draft(answers(kind, redis_url="redis://redis.example:6379"))
    assert len(made.values["secret_key"]) == 64
    assert made.secrets[:2] == (("redis", "url"), ("secret_key",))


def test_tokens_and_keys_have_the_form_of_wechats_console() -> None:
    for _ in range(50):
        key = fresh_aes_key()
        assert b64encode(b64decode(f"{key}=")).decode() == f"{key}="
        assert re.fullmatch(r"[A-Za-z0-9]{43}", key)
        assert re.fullmatch(r"[A-Za-z0-9]{32}", fresh_token())
    assert draft(answers("service")).account["token"] != draft(answers("service")).account["token"]


def test_what_is_only_wrong_as_a_whole_is_a_fault() -> None:
    many = tuple(f"https://shop.example/{number}" for number in range(33))
    with pytest.raises(ConfigError, match=r"clients\.shop\.return_urls: must not be more than 32"):
        draft(answers("website") | {"return_urls": many})
