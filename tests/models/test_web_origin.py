"""The origin of an address as browsers read it; none if it is ambiguous."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.web_origin import origin_of

SHOP = "https://shop.example"


@pytest.mark.parametrize(
    "address",
    [
        SHOP,
        f"{SHOP}/",
        f"{SHOP}/settings?tab=wechat&x=%2F#here",
        f"{SHOP}?a",
        f"{SHOP}#a",
        f"{SHOP}:443/",
        f"{SHOP}:0443/",
        "HTTPS://SHOP.Example/",
        f"{SHOP}/@evil.example",
        f"{SHOP}?next=https://evil.example",
        f"{SHOP}//evil.example",
        f"{SHOP}/<\"'>[]{{}}|^`",
    ],
)
def test_an_address_is_its_origins_however_it_is_written(address: str) -> None:
    assert origin_of(address) == SHOP


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("http://shop.example", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("https://shop.example:80/", "https://shop.example:80"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://shop.example.evil.example/", "https://shop.example.evil.example"),
        ("https://shop.example./", "https://shop.example."),
        ("https://shop.example-evil", "https://shop.example-evil"),
        ("https://xn--fiqs8s.example/", "https://xn--fiqs8s.example"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("https://[0:0::1]", "https://[::1]"),
        ("https://[2001:DB8:0:0:0:0:0:01]:443/", "https://[2001:db8::1]"),
        ("https://[::ffff:192.0.2.1]", "https://[::ffff:c000:201]"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_another_scheme_host_or_port_is_another_origin(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "", "/", "/settings", "//shop.example", "shop.example", "https:", "https://", "https:///", "https:///x",
        "https:shop.example", "https:/shop.example", "https:\\\\shop.example", "https://shop.example\\@evil.example",
        "https://shop.example\\.evil.example", "https://shop.example/\\evil.example", "\\\\evil.example",
        "https://shop.example@evil.example", "https://user:pass@shop.example/", "https://@shop.example/",
        "https://evil.example#@shop.example\\", "https://shop.example:", "https://shop.example:/",
        "https://shop.example:443443", "https://shop.example:x", "https://shop.example:-1", "https://shop.example:٤٤٣",
        "javascript:alert(1)", "JavaScript://shop.example/%0aalert(1)", "data:text/html,x", "ftp://shop.example/",
        "file:///etc/passwd", "blob:https://shop.example/x", "ws://shop.example", "httpss://shop.example",
        " https://shop.example", "https://shop.example ", "https://shop.example/a b", "https://shop.example/\t",
        "https://shop.example/\n", "https://shop.example\n", "ht\ntps://shop.example", "https://shop\t.example",
        "https://shop.example/\r\nSet-Cookie: x", "https://shop.example/\0", "https://shop.example/\x7f",
        "https://shop.example/\u00a0", "https://shop.example/ü", "https://shop.exämple/", "https://ѕhop.example/",
        "https://shop.example。evil", "https://shop.example／evil", "https://shop%2eexample/", "https://shop.example%2f",
        "https://shop.example;evil", "https://shop.example,evil", "https://[::1", "https://::1]/", "https://[v1.x]/",
        "https://[::12345]", "https://[1:2]", "https://[1.2.3.4]", "https://[::1::]",
        "ſhttps://shop.example", "httpſ://shop.example",
    ],
)  # fmt: skip
def test_an_ambiguous_address_has_no_origin(address: str) -> None:
    assert origin_of(address) is None


@given(st.text(alphabet="hHtpsS:/\\@.?#%[]\t\n \0aé0", max_size=40))
def test_an_origin_is_plain_for_every_text(text: str) -> None:
    for address in (text, f"https://{text}", f"{SHOP}{text}"):
        origin = origin_of(address)
        assert origin is None or not set(origin.partition("://")[2]) & set("/\\@?#% \t\n\0é")
