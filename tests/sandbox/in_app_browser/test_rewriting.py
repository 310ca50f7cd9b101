"""Links, forms and content security policies of pages at another address. Red when a link leaves the browser."""

import pytest
from inside_wechat import Inside, Site
from yarl import URL

from sandbox.in_app_browser import rewriting
from sandbox.in_app_browser.addresses import Opened

HERE = "/inside/u_1/http/shop.test:81"
OPENED = Opened("u_1", URL("http://shop.test:81/login?a"))


def test_addresses_of_pages_are_read_and_written() -> None:
    for address in (f"{HERE}/login?a", f"{HERE}/", "/inside/u_1/https/[::1]:8443/a%2Fb?c=%20"):
        opened = Opened.read(address)
        assert opened
        assert opened.address == address
    assert OPENED.address == f"{HERE}/login?a"


@pytest.mark.parametrize(
    ("html", "becomes"),
    [
        ('<a href="/b?c#d">', f'<a href="{HERE}/b?c#d">'),
        ("<form action='/'>", f"<form action='{HERE}/'>"),
        ('<BUTTON FORMACTION = "/b">', f'<BUTTON FORMACTION = "{HERE}/b">'),
        ('<img\nsrc="/b.png">', f'<img\nsrc="{HERE}/b.png">'),
        ('<a href="https://x.test:8443/b">', '<a href="/inside/u_1/https/x.test:8443/b">'),
        ('<a href="HTTP://x.test">', '<a href="/inside/u_1/http/x.test/">'),
        ('<a href="http://x.test?b=/c">', '<a href="/inside/u_1/http/x.test/?b=/c">'),
        ('<a href="//x.test/b">', '<a href="/inside/u_1/http/x.test/b">'),
        ('<body data-again="http://x.test/b">', '<body data-again="/inside/u_1/http/x.test/b">'),
        ('<a href="/b" target="phone">', f'<a href="{HERE}/b">'),
        ("<a target=_blank href='b'>", "<a target=_blank href='b'>"),
    ],
)
def test_what_leads_elsewhere_leads_through_the_sandbox(html: str, becomes: str) -> None:
    assert rewriting.page(html.encode(), OPENED).decode() == becomes


@pytest.mark.parametrize(
    "html",
    [
        '<a href="b">',
        '<a href="#b">',
        '<a href="?b">',
        '<a href="data:,">',
        '<p title="/b">',
        '<p data-b="/c">',
        "/b",
    ],
)
def test_what_stays_is_left_alone(html: str) -> None:
    assert rewriting.page(html.encode(), OPENED).decode() == html


@pytest.mark.parametrize(
    ("policy", "becomes"),
    [
        ("default-src 'none'; script-src 'self'", "default-src 'none'; script-src 'self'"),
        ("script-src http://x.test/ 'self' x.test *.x.test:81", "script-src 'self'"),
        ("img-src data: blob: *; form-action 'self' http://x.test", "img-src data: blob: *; form-action 'self'"),
        ("frame-ancestors 'none'; base-uri 'none'; upgrade-insecure-requests", "base-uri 'none'"),
        (
            "trusted-types a b; require-trusted-types-for 'script';",
            "trusted-types a b; require-trusted-types-for 'script'",
        ),
        ("", ""),
    ],
)
def test_a_policy_allows_what_the_sandbox_answers_for(policy: str, becomes: str) -> None:
    assert rewriting.policy(policy) == becomes
    meta = '<meta http-equiv="Content-Security-Policy" content="{}">'
    assert rewriting.page(meta.format(policy).encode(), OPENED).decode() == meta.format(becomes)


async def test_a_frame_of_the_phone_page_shows_the_page_under_its_policy(inside: Inside, site: Site) -> None:
    policy = "default-src 'none'; style-src http://127.0.0.1:1; frame-ancestors 'none'"
    site.shows("/", '<a href="/b">', Content_Security_Policy=policy, Referrer_Policy="no-referrer")
    anna = await inside.wechat.anna()
    response = await inside.open(anna, "/")
    assert await response.text() == f'<a href="{inside.address(anna, site.url)}/b">'
    assert response.headers.getall("Content-Security-Policy") == [
        "default-src 'none'; style-src 'self'",
        "script-src 'self'; object-src 'none'; frame-ancestors 'self'",
    ]
    assert response.headers["Referrer-Policy"] == "same-origin"
