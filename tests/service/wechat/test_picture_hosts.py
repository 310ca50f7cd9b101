"""Where profile pictures are fetched. Red when an address leads to a server that is not WeChat's or `api_base`."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from picture_server import API

from service.wechat.picture_hosts import allowed_address, may_resolve_to

OWN = "http://wechat.internal:8080/proxied"


def allowed(address: str, *, api_base: str = OWN) -> str | None:
    url = allowed_address(address, api_base=api_base)
    return None if url is None else str(url)


@pytest.mark.parametrize(
    ("address", "fetched"),
    [
        ("https://thirdwx.qlogo.cn/mmopen/vi_32/Abc/132", "https://thirdwx.qlogo.cn/mmopen/vi_32/Abc/132"),
        ("http://wx.qlogo.cn/mmopen/Abc/0", "https://wx.qlogo.cn/mmopen/Abc/0"),
        ("http://wx.qlogo.cn:80/a%2Fb?c=d", "https://wx.qlogo.cn/a%2Fb?c=d"),
        ("HTTPS://A.B.QLOGO.CN:443/x", "https://a.b.qlogo.cn/x"),
        ("http://wechat.internal:8080/mmopen/1", "http://wechat.internal:8080/mmopen/1"),
    ],
    ids=["WeChat", "without TLS", "a default port", "upper case", "api_base"],
)
def test_wechats_hosts_are_fetched_by_https_and_the_operators_as_it_is(address: str, fetched: str) -> None:
    assert allowed(address) == fetched


@pytest.mark.parametrize(
    "address",
    ["", "x", "/mmopen/1", "//wx.qlogo.cn/1", "https://", "https://[", "https://wx.qlogo.cn:99999/",
     "file:///etc/passwd", "ftp://wx.qlogo.cn/1", "javascript:alert(1)", "data:image/png;base64,AA==",
     "https://evil.example/wx.qlogo.cn", "https://qlogo.cn.evil.example/", "https://evilqlogo.cn/",
     "https://qlogo.cn/", "https://.qlogo.cn/", "https://wx.qlogo.cn./1", "https://wx.qlogo.cn.evil.example/",
     "https://wx.qlogo.cn@evil.example/", "https://evil.example#.qlogo.cn/", "https://evil.example?.qlogo.cn",
     "https://evil.example\\.qlogo.cn/", "https://evil.example%2f.qlogo.cn/", "https://evil.example%00.qlogo.cn/",
     "https://me@wx.qlogo.cn/1", "https://:pw@wx.qlogo.cn/1", "https://wx.qlogo.cn:8443/", "http://wx.qlogo.cn:443/",
     "http://127.0.0.1/", "http://[::1]/", "http://2130706433/", "http://169.254.169.254/latest/meta-data/",
     "http://wechat.internal/mmopen/1", "http://wechat.internal:8081/", "https://wechat.internal:8080/",
     "http://a@wechat.internal:8080/", "http://x.wechat.internal:8080/", "https://api.weixin.qq.com/1"],
)  # fmt: skip
def test_no_other_address_is_fetched(address: str) -> None:
    assert allowed(address) is None


@given(st.text() | st.from_regex(r"https?://[a-z.@:/\\#?%\[\]]*qlogo\.cn[a-z.@:/\\#?%\[\]]*", fullmatch=True))
@example("https://\ud83d.qlogo.cn/")
@example("https://wx。qlogo。cn/")
def test_whatever_the_text_the_host_is_one_of_wechats(address: str) -> None:
    url = allowed_address(address, api_base=API)
    if url is not None and str(url.origin()) != API:
        assert (url.scheme, url.port, url.user) == ("https", 443, None)
        assert (url.raw_host or "").endswith(".qlogo.cn")


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:10.0.0.1"])
def test_a_host_of_wechats_must_be_public_and_the_host_of_an_api_base_may_be_private(address: str) -> None:
    assert not may_resolve_to("wx.qlogo.cn", address)
    assert may_resolve_to("wechat.internal", address)
    assert may_resolve_to("wx.qlogo.cn", "1.1.1.1")
