"""Endpoints have names that do not tell their addresses."""

from models.outbox import webhook_target

URL = "https://shop.example/hooks?token=canary"


def test_a_target_names_one_address_of_one_client() -> None:
    names = {webhook_target("shop", URL), webhook_target("club", URL), webhook_target("shop", URL + "2")}
    assert len(names | {webhook_target(None, URL)}) == 4
    assert webhook_target("shop", URL) in names


def test_a_target_fits_its_column_and_shows_nothing_of_the_address() -> None:
    name = webhook_target("shop", URL)
    assert len(name) == 22
    assert "canary" not in name
    assert "shop" not in name


def test_client_and_address_cannot_be_shifted_into_each_other() -> None:
    assert webhook_target("shop", URL) != webhook_target("shoph", URL[1:])
