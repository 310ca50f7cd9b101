"""No relayed text has a link whose tap could answer a question of the service, or send a passcode.

Red when a link is kept whose content is an answer in any decoding, or when another form of link is not recognised.
"""

import html
import re
import time
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.confirmation import could_answer, nearly_answers
from models.passcode import read_passcode
from sandbox.chat import menu_link, pieces
from service.wechat.chat_links import without_answers

ANSWERS = (
    "47",
    "４７",
    "确认 ABCD",
    "Yes ABCD",
    "不是我 2345",
    "Not me",
    "K7MP2QXR",
    "k7mp 2qxr",
    "是我，继续",
    "4",
    "不",
    " 47 ",
)
HARMLESS = ("营业时间", "opening hours", "人工客服", "menu")


def is_answer(text: str) -> bool:
    return could_answer(text) or nearly_answers(text) or read_passcode(text) is not None


def cleaned(text: str) -> str:
    return without_answers(text, is_answer)


@pytest.mark.parametrize("content", HARMLESS)
def test_a_link_that_answers_nothing_stays(content: str) -> None:
    text = f'Choose:\n{menu_link(content, menu_id="1")} or <a href="https://shop.example/">look</a>'
    assert cleaned(text) == text


@pytest.mark.parametrize("content", ANSWERS)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_link_that_could_answer_leaves_its_label(content: str, times: int) -> None:
    written = content
    for _ in range(times):
        written = quote(written, safe="")
    link = f'<a href="weixin://bizmsgmenu?msgmenucontent={written}&msgmenuid=1">tap me</a>'
    harmless = menu_link("menu", menu_id="2")
    assert cleaned(f"A {link} B {harmless}") == f"A tap me B {harmless}"


@pytest.mark.parametrize(
    "text",
    [
        "<A HREF='WEIXIN://BIZMSGMENU?msgmenucontent=47'>x</A>",
        '<a class="x" href="weixin://bizmsgmenu?msgmenucontent=47">x</a>',
        '<a href = "weixin://bizmsgmenu?msgmenuid=1&msgmenucontent=47">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=menu&msgmenucontent=47&msgmenuid=1">x</a>',
        '<a href="weixin://%62izmsgmenu?msgmenucontent=47">x</a>',
        '<a href="weixin://biz\u200bmsgmenu?msgmenucontent=47">x</a>',
        '<a href="ｗｅｉｘｉｎ：／／ｂｉｚｍｓｇｍｅｎｕ?msgmenucontent=47">x</a>',
        '<a href="&#119;eixin://&#98;izmsgmenu?msgmenucontent=47">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=&#52;&#55;&msgmenuid=1">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=a%0047&msgmenuid=1">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=47%26x%3Dhello&msgmenuid=1">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=quite%20ordinary%20words%0047&msgmenuid=1">x</a>',
        f'<a href="weixin://%{"25" * 10}62izmsgmenu?msgmenucontent=47">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=menu&msgmenuid=1;msgmenucontent=47">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=menu&msgmenuid=1%26msgmenucontent=47">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=%u4e0d%u662f%u6211&msgmenuid=1">x</a>',
        '<a href="weixin://bizmsgmenu?msgmenucontent=%B2%BB%CA%C7%CE%D2&msgmenuid=1">x</a>',
        "&lt;a href=&quot;weixin://bizmsgmenu?msgmenucontent=47&quot;&gt;x&lt;/a&gt;",
        '<a href="weixin://bizmsgmenu?msgmenucontent=47<a href="weixin://bizmsgmenu?msgmenucontent=menu">x</a>',
        '<a href="weixin://biz<a href="weixin://bizmsgmenu?msgmenucontent=menu"></a>msgmenu?msgmenucontent=47">x</a>',
        "weixin://bizmsgmenu?msgmenucontent=47",
        f'<a href="weixin://bizmsgmenu?msgmenucontent={"%2525" * 40}34%2537">x</a>',
        f'<a href="weixin://bizmsgmenu?msgmenucontent=47{"%20" * 300}&msgmenuid=1">x</a>',
    ],
    ids=lambda text: text[:40],
)
def test_no_other_form_of_such_a_link_survives(text: str) -> None:
    assert "msgmenu" not in cleaned(f"before {text} after")


@pytest.mark.parametrize(
    "text", ["", "hello", "1 < 2 & 3 > 2", '<a href="https://shop.example/?a=47">x</a>', "weixin"]
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert cleaned(text) == text


WRITINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    quote,
    html.escape,
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    lambda text: "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text),
    "\u200b".join,
]
PARTS = st.sampled_from(
    [
        *(
            '<a href="',
            "<a href='",
            "<a ",
            "href=",
            '">',
            "'>",
            ">",
            "</a>",
            "<",
            "&",
            "?",
            "=",
            "&amp;",
            " ",
            "\n",
        ),
        *(
            "weixin://",
            "bizmsgmenu",
            "biz",
            "msgmenu",
            "?msgmenucontent=",
            "msgmenucontent=",
            "&msgmenuid=1",
            "%25",
        ),
        *ANSWERS,
        *HARMLESS,
        menu_link("47", menu_id="1"),
        menu_link("menu", menu_id="1"),
    ]
)
WRITTEN = st.builds(lambda part, how: how(part), PARTS, st.sampled_from(WRITINGS))


@given(st.lists(WRITTEN, max_size=24).map("".join))
@example(menu_link("47", menu_id="1") * 2)
def test_no_relayed_text_has_a_link_that_could_answer(text: str) -> None:
    relayed = cleaned(text)
    assert not any(is_answer(piece.says) for piece in pieces(relayed) if piece.says)
    seen = relayed
    for _ in range(12):
        for found in re.findall(r"bizmsgmenu[^<>]*?msgmenucontent=([^&\"'<>\s]*)", seen, re.IGNORECASE):
            assert not is_answer(unquote(found)), (text, relayed)
        seen = unquote(html.unescape(seen))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 65536,
        "\u0301" * 32768,
        "&amp;" * 13000,
        "%25" * 21000,
        "<" * 65536,
        '<a href="weixin://bizmsgmenu?' * 2200,
    ],
    ids=["letters", "marks", "entities", "percents", "tags", "links"],
)
def test_the_longest_answer_takes_no_second(text: str) -> None:
    began = time.process_time()
    cleaned(text)
    assert time.process_time() - began < 1
