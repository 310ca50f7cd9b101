"""WeCom's page of a login, and its silent page in WeCom's own browser (wechat-protocol.md 7).

Red when a redirect goes to a host that is not trusted, when a browser outside WeCom passes the silent page, and
when an Official Account's page does not work any more.
"""

import pytest
from authorizing import answered
from wecom_town import CORP, OTHER_CORP, SECOND_APP, WeCom

from sandbox.authorization.inside import user_agent


async def consent(wecom: WeCom) -> str:
    page = await wecom.open()
    assert page.status == 200
    (shown,) = wecom.authorization.open_consents(CORP.corpid)
    text = await page.text()
    assert f'data-consent="{shown.id}"' in text
    assert "Acme &lt;1&gt;" in text
    return shown.id


async def test_a_person_who_allows_goes_back_with_a_code(wecom: WeCom) -> None:
    anna = await wecom.anna()
    address = (await wecom.post("allow", user=anna.id, consent=await consent(wecom)))["address"]
    told = answered(address)
    assert (address.partition("?")[0], told["state"]) == ("https://login.test/oauth/corp", "s1")
    assert (await wecom.named(told["code"]))["openid"] == anna.openid(CORP.corpid)


async def test_a_person_who_refuses_goes_back_with_the_state_alone(wecom: WeCom) -> None:
    anna = await wecom.anna()
    address = (await wecom.post("refuse", user=anna.id, consent=await consent(wecom)))["address"]
    assert answered(address) == {"state": "s1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uri": "https://evil.test/"}, "50001"),
        ({"redirect_uri": "https://sub.login.test/"}, "50001"),
        ({"redirect_uri": "javascript:alert(1)//login.test"}, "50001"),
        ({"redirect_uri": None}, "50001"),
        ({"appid": "wwnone"}, "appid"),
        ({"agentid": "1"}, "agentid"),
        ({"agentid": None}, "agentid"),
        ({"login_type": "ServiceApp"}, "login_type"),
        ({"state": "a-b"}, "state"),
        ({"state": "x" * 129}, "state"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_address_of_a_login_asks_nobody(
    wecom: WeCom, changes: dict[str, str | None], reason: str
) -> None:
    assert reason in await (await wecom.open(**changes)).text()
    assert wecom.authorization.open_consents() == []


async def test_the_page_speaks_the_language_that_is_asked_for_and_returns_in_the_frame(wecom: WeCom) -> None:
    texts = [await (await wecom.open(lang=lang, redirect_type="self")).text() for lang in ("zh", "en")]
    assert "企业微信登录" in texts[0]
    assert "WeCom login" in texts[1]
    assert 'data-target="self"' in texts[1]
    assert 'data-target="top"' in await (await wecom.open()).text()


async def test_in_wecoms_browser_nothing_is_asked(wecom: WeCom) -> None:
    anna = await wecom.anna()
    wecom.authorization.enterprises.enroll(anna, "Anna")
    response = await wecom.open(anna)
    assert response.status == 302
    assert (await wecom.named(answered(response.headers["Location"])["code"]))["userid"] == "Anna"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uri": "https://evil.test/"}, "50001"),
        ({"agentid": str(SECOND_APP.agentid), "appid": OTHER_CORP.corpid}, "agentid"),
        ({"scope": "snsapi_login"}, "scope"),
        ({"response_type": "token"}, "response_type"),
        ({"appid": "wx0123456789abcdef"}, "appid"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_silent_address_leads_nowhere(
    wecom: WeCom, changes: dict[str, str | None], reason: str
) -> None:
    response = await wecom.open(await wecom.anna(), **changes)
    assert (response.status, reason in await response.text()) == (200, True)


async def test_the_silent_page_wants_its_own_order_and_browser(wecom: WeCom) -> None:
    anna = await wecom.anna()
    address = (await wecom.open(anna)).url
    appid, redirect_uri, *rest = address.raw_query_string.split("&")
    inside = {"User-Agent": user_agent(anna, wecom=True)}
    for query, headers, notice in (
        ("&".join([redirect_uri, appid, *rest]), inside, "参数顺序必须是"),
        (address.raw_query_string, {}, "请在微信客户端打开链接"),
        (address.raw_query_string, {"User-Agent": user_agent(anna)}, "AppID 参数错误"),
    ):
        given = {"headers": headers, "allow_redirects": False}
        response = await wecom.client.get(f"{address.path}?{query}", **given)
        assert (response.status, notice in await response.text()) == (200, True)


async def test_applications_are_listed_without_their_secrets(wecom: WeCom) -> None:
    told = await (await wecom.client.get("/sandbox/api/wecom_apps")).json()
    assert [list(one) for one in told["wecom_apps"]] == 3 * [["corpid", "agentid", "name", "domain"]]


async def test_a_member_is_told_to_the_page(wecom: WeCom) -> None:
    anna = await wecom.anna()

    async def told() -> str | None:
        userid: str | None = (
            await (await wecom.client.get("/sandbox/api/member", params={"user": anna.id})).json()
        )["userid"]
        return userid

    assert await told() is None
    await wecom.post("enroll", user=anna.id, userid="Anna.X")
    assert await told() == "Anna.X"
