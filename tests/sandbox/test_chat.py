import pytest

from sandbox.chat import Piece, menu_link, pieces


def test_menu_links_say_their_decoded_content() -> None:
    text = '请点：<a href="weixin://bizmsgmenu?msgmenucontent=%E6%98%AF%2B1&msgmenuid=101">是</a>！'
    assert pieces(text) == (
        Piece("请点："),
        Piece("是", says="是+1", menu_id="101"),
        Piece("！"),
    )


def test_a_plus_sign_stays_a_plus_sign() -> None:
    assert pieces("<a href='weixin://bizmsgmenu?msgmenucontent=1+1'>two</a>")[0].says == "1+1"


def test_page_links_open_pages() -> None:
    assert pieces('<a href="https://shop.example/a?b=1">shop</a>') == (
        Piece("shop", href="https://shop.example/a?b=1"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "no link",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="weixin://dl/business">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenuid=1">no content</a>',
        '<a href="https://x.example" onclick="y">x</a>',
        "<b>bold</b>",
        "<a href=https://x.example>x</a>",
    ],
)
def test_anything_else_is_bare_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text
    assert not any(piece.href or piece.says for piece in pieces(text))


def test_a_menu_link_reads_back() -> None:
    assert pieces(menu_link("4&7", menu_id="a&b")) == (Piece("4&7", says="4&7", menu_id="a&b"),)
