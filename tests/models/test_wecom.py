"""How members and outsiders are stored, so that neither can be taken for the other.

Red when the case of a userid counts, when an outsider's openid stands there as a userid would, and when that of an
account's openid is read as userid.
"""

import pytest

from models.events import OpenId
from models.wecom import Names, forms_of, is_outsider, names_of, of_member, of_outsider

CORP, ACCOUNT = "ww00112233445566cc", "wx0123456789abcdef"


def test_a_userid_is_the_same_in_any_case_of_its_letters() -> None:
    assert of_member("ZhangSan") == of_member("zhangsan") == of_member("ZHANGSAN") == "zhangsan"
    assert names_of(of_member("ZhangSan"), CORP) == Names(None, "zhangsan")


def test_an_openid_keeps_its_case() -> None:
    assert names_of(of_outsider("oAbC"), CORP) == Names("oAbC", None)
    assert of_outsider("oAbC") != of_outsider("oabc")


def test_no_outsider_is_stored_as_a_member() -> None:
    assert is_outsider(of_outsider("same"))
    assert not is_outsider(of_member("same"))
    assert of_outsider("same") != of_member("same")


@pytest.mark.parametrize(
    "userid",
    ["", ":oAbC", ".index", "_a", "-a", "@a", "a b", "a\n", "张三", "a" * 65, "a\ud800"],
    ids=ascii,
)
def test_what_cannot_be_a_userid_is_refused(userid: str) -> None:
    with pytest.raises(ValueError, match="userid"):
        of_member(userid)


@pytest.mark.parametrize("openid", ["", "a b", "张", "o" * 64], ids=ascii)
def test_what_cannot_be_an_openid_is_refused(openid: str) -> None:
    with pytest.raises(ValueError, match="openid"):
        of_outsider(openid)


def test_the_longest_of_both_fit_the_column() -> None:
    assert len(of_member("a" * 64)) == len(of_outsider("o" * 63)) == 64


@pytest.mark.parametrize("appid", [ACCOUNT, None], ids=["account", "not known"])
def test_an_openid_of_an_account_stays_one(appid: str | None) -> None:
    assert names_of(OpenId("oAbC"), appid) == Names("oAbC", None)


def test_an_openid_is_looked_for_in_both_forms() -> None:
    assert forms_of(OpenId("oAbC")) == ("oAbC", of_outsider("oAbC"))
