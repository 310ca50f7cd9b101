"""Text from browsers and sites is cleaned before it is shown in the chat."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.requester import _BROWSERS, _SYSTEMS, Requester, address, browser, cleaned_name, cleaned_requester

LINK = '<a href="weixin://bizmsgmenu?msgmenucontent=47&msgmenuid=1">Yes</a>'
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = CHROME.removesuffix(" Chrome/126.0 Safari/537.36")
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "named"),
    [
        (CHROME, "Chrome · Windows"),
        (f"{CHROME} Edg/126.0", "Edge · Windows"),
        (f"{CHROME} OPR/111.0", "Opera · Windows"),
        (f"{MAC} Version/17.5 Safari/605.1.15", "Safari · Mac"),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari · iPhone"),
        (f"{IPHONE} CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome · iPhone"),
        (f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI", "WeChat · iPhone"),
        (
            f"{ANDROID} Chrome/116.0 XWEB/1160083 MMWEBSDK/20240301 MicroMessenger/8.0.48.2580(0x28)",
            "WeChat · Android",
        ),
        (
            f"{CHROME} MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090819) XWEB/8531",
            "WeChat · Windows",
        ),
        (
            f"{MAC} Chrome/107.0 Safari/537.36 MicroMessenger/6.8.0 MacWechat/3.8.7(0x13080712) XWEB/1156",
            "WeChat · Mac",
        ),
        (f"{CHROME} wxwork/4.1.10 (MicroMessenger/6.2) WindowsWechat MailPlugin_Electron", "WeCom · Windows"),
        (f"{MAC} wxwork/4.1.10 (MicroMessenger/6.2) MacWechat WeMail embeddisk", "WeCom · Mac"),
        (f"{IPHONE} Mobile/15E148 wxwork/4.1.10 MicroMessenger/7.0.1 Language/zh", "WeCom · iPhone"),
        (f"{ANDROID} Chrome/116.0 Mobile Safari/537.36 wxwork/4.1.10 ColorScheme/Light", "WeCom · Android"),
        (f"{CHROME} QIHU 360SE", "360 · Windows"),
        (f"{CHROME} SE 2.X MetaSr 1.0", "Sogou · Windows"),
        (f"{CHROME} Core/1.94 QQBrowser/12.1", "QQ Browser · Windows"),
        (f"{ANDROID} Chrome/109.0 MQQBrowser/14.6 Mobile Safari/537.36", "QQ Browser · Android"),
        (f"{ANDROID} Chrome/109.0 MQQBrowser/6.2 Mobile Safari/537.36 V1_AND_SQ QQ/8.9.80", "QQ · Android"),
        (f"{ANDROID} Chrome/100.0 UCBrowser/16.5 Mobile Safari/537.36", "UC Browser · Android"),
        (f"{IPHONE} Mobile/15E148 AliApp(DingTalk/7.5) com.laiwang.DingTalk/7.5", "DingTalk · iPhone"),
        (f"{IPHONE} Mobile/15E148 AlipayClient/10.5.80", "Alipay · iPhone"),
        (
            "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 ArkWeb/4.1 HuaweiBrowser/5.0",
            "Huawei Browser · HarmonyOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 Chrome/114.0 Mobile",
            "Chrome · HarmonyOS",
        ),
        (f"{WINDOWS}, Trident/7.0; rv:11.0", "Internet Explorer · Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox · Mac"),
        (f"{ANDROID} Chrome/126.0 Mobile Safari/537.36", "Chrome · Android"),
        (f"{ANDROID} SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36", "Samsung Internet · Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox · Linux"),
        ("curl/8.5.0", None),
        ("something on Windows", "Windows"),
        ("", None),
    ],
)
def test_a_browser_is_named_from_the_table(user_agent: str, named: str | None) -> None:
    assert browser(user_agent) == named


@given(st.text(max_size=200))
def test_a_browser_says_nothing_of_its_own(user_agent: str) -> None:
    known = {name for _, name in (*_BROWSERS, *_SYSTEMS)}
    assert set((browser(user_agent) or "Mac").split(" · ")) <= known


@pytest.mark.parametrize(
    ("given_address", "shown"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7\n", "203.0.113.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.7:80", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("203.0.113.7:http", None),
        ("203.0.113.007", None),
        ("203.0.113.7, 10.0.0.1", None),
        (f"203.0.113.7 {LINK}", None),
        (LINK, None),
        ("localhost", None),
        ("", None),
        ("2130706433", None),
    ],
)
def test_an_address_is_an_ip_or_nothing(given_address: str, shown: str | None) -> None:
    assert address(given_address) == shown


@pytest.mark.parametrize("zone", [LINK, LINK.replace("/", ""), "你好", "x y", "\u202eabc", "1>"])
def test_an_addresses_zone_is_no_way_in(zone: str) -> None:
    shown = address(f"fe80::1%{zone}") or ""
    assert set(shown) <= set("0123456789abcdef:.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anna@shop.example", "anna@shop.example"),
        ("  Änna\t\n 安娜 😀 ", "Änna 安娜 😀"),
        ('O\'Brien "Bob" (2)', 'O\'Brien "Bob" (2)'),
        (LINK, 'a href="weixinbizmsgmenu?msgmenucontent=47msgmenuid=1"Yesa'),
        ("https://evil.example/x", "httpsevil.examplex"),
        ("&lt;a&gt;", "lt;agt;"),
        ("anna\u202egpj.exe", "annagpj.exe"),
        ("anna\u2066\u2069\u200b\u200d\ufeff", "anna"),
        ("a\x00b\x1b[31mc\x7f", "ab[31mc"),
        ("one\ntwo\r\nthree\u2028four\u0085five", "onetwothree fourfive"),
        ("\ud800\ue000", None),
        ("", None),
        (" \n ", None),
        ("<>&", None),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 63 + "…"),
    ],
)
def test_a_name_keeps_only_what_names(text: str, shown: str | None) -> None:
    assert cleaned_name(text) == shown


@given(st.text(st.characters(codec=None), max_size=300))
def test_no_name_writes_markup_controls_or_turns_the_text_around(text: str) -> None:
    shown = cleaned_name(text)
    if shown is None:
        return
    assert not re.search(r"[<>&/\\:\r\n\t]", shown)
    assert not any(unicodedata.category(character)[0] == "C" for character in shown)
    assert not any(
        unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for character in shown
    )
    assert 1 <= len(shown) <= 64
    assert shown == shown.strip()
    shown.encode()


def test_who_asks_is_cleaned_as_a_whole_but_for_the_state() -> None:
    asked = cleaned_requester(ip="203.0.113.7", user_agent=CHROME, account_name="<anna>", state=LINK)
    assert asked == Requester("Chrome · Windows", "203.0.113.7", "anna", LINK)
    assert cleaned_requester() == Requester()
