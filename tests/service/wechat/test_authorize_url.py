"""The addresses at WeChat.

Red when a parameter stands elsewhere than WeChat demands, or is not encoded.
"""

from models.language import Lang
from models.web_authorization import Scope
from service.wechat.authorize_url import inside_wechat, inside_wecom, website_login, wecom_login

BASE, BACK = "https://open.weixin.qq.com", "https://login.example/oauth/site"
WECOM = "https://login.work.weixin.qq.com"
ENCODED = "https%3A%2F%2Flogin.example%2Foauth%2Fsite"


def test_a_websites_login() -> None:
    url = website_login(BASE, appid="wx1", redirect_uri=BACK, state="s1", lang=Lang.ZH)
    assert url == (
        f"{BASE}/connect/qrconnect?appid=wx1&redirect_uri={ENCODED}&response_type=code&scope=snsapi_login&state=s1"
        "&lang=cn#wechat_redirect"
    )


def test_in_a_frame_wechat_stays_within_it() -> None:
    url = website_login(BASE, appid="wx1", redirect_uri=BACK, state="s1", lang=Lang.EN, in_frame=True)
    assert url.endswith("&state=s1&lang=en&login_type=jssdk&self_redirect=true#wechat_redirect")


def test_inside_wechat() -> None:
    url = inside_wechat(BASE, appid="wx1", redirect_uri=BACK, scope=Scope.BASE, state="s1")
    assert url == (
        f"{BASE}/connect/oauth2/authorize?appid=wx1&redirect_uri={ENCODED}&response_type=code&scope=snsapi_base"
        "&state=s1&connect_redirect=1#wechat_redirect"
    )


def test_a_login_with_wecom() -> None:
    asked = {"corpid": "ww1", "agentid": 1000002, "redirect_uri": BACK, "state": "s1", "lang": Lang.EN}
    url = wecom_login(WECOM, **asked)
    assert url == (
        f"{WECOM}/wwlogin/sso/login?login_type=CorpApp&appid=ww1&agentid=1000002&redirect_uri={ENCODED}&state=s1&lang=en"
    )
    assert wecom_login(WECOM, **asked, in_frame=True) == f"{url}&redirect_type=self"


def test_inside_wecom() -> None:
    url = inside_wecom(BASE, corpid="ww1", agentid=1000002, redirect_uri=BACK, state="s1")
    assert url == (
        f"{BASE}/connect/oauth2/authorize?appid=ww1&redirect_uri={ENCODED}&response_type=code&scope=snsapi_base"
        "&state=s1&agentid=1000002#wechat_redirect"
    )
