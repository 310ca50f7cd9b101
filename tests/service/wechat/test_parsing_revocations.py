"""Revocations name the person in OpenID; the sender may be another person.

Red when `_revoked` takes the person from FromUserName, or makes one key of two people.
"""

import json

import pytest

from models.events import Other, Revoked
from service.wechat.parsing import read, understand

HEAD = {"ToUserName": "gh_me", "FromUserName": "oSender", "CreateTime": "1626857200", "MsgType": "event"}
WHOSE = {"OpenID": "oAnna", "AppID": "wx0123456789abcdef", "RevokeInfo": "301"}
NAMES = [
    ("user_authorization_revoke", False),
    ("USER_AUTHORIZATION_REVOKE", False),
    ("user_authorization_cancellation", True),
    ("User_Authorization_Cancellation", True),
]


def understood(**fields: str) -> list[object]:
    """Return what the same fields mean in XML and in JSON."""
    given = {**HEAD, **WHOSE, **fields}
    xml = f"<xml>{''.join(f'<{name}><![CDATA[{value}]]></{name}>' for name, value in given.items())}</xml>"
    return [understand(read(body.encode()).fields) for body in (xml, json.dumps(given))]


@pytest.mark.parametrize(("name", "closed"), NAMES)
@pytest.mark.parametrize("openid", ["oAnna", " oAnna\n", "oSender", "-_" * 32])
async def test_the_person_is_in_openid(name: str, closed: bool, openid: str) -> None:
    for event in understood(Event=name, OpenID=openid):
        assert isinstance(event, Revoked)
        assert (event.openid, event.appid, event.named) == (openid.strip(), WHOSE["AppID"], True)
        assert (event.closed, event.gh_id, event.created) == (closed, "gh_me", 1626857200)


@pytest.mark.parametrize("openid", ["", "o Anna", "o" * 65, "安娜"])
async def test_without_an_openid_the_person_is_not_named(openid: str) -> None:
    for event in understood(Event="user_authorization_revoke", OpenID=openid):
        assert isinstance(event, Revoked)
        assert not event.named


async def test_a_redelivery_has_the_same_key_and_every_other_revocation_another() -> None:
    changes: list[dict[str, str]] = [
        {},
        {"OpenID": "oBen"},
        {"AppID": "wx1"},
        {"CreateTime": "1626857201"},
        {"FromUserName": "oBen"},
        {"Event": "user_authorization_cancellation"},
    ]
    revoked = {"Event": "user_authorization_revoke"}
    events = [understood(**(revoked | change)) for change in changes]
    keys = [{event.key for event in both if isinstance(event, Revoked)} for both in events]
    assert [len(one) for one in keys] == [1] * len(changes)
    assert len(set[str]().union(*keys)) == len(changes)


async def test_changed_names_and_pictures_are_ignored() -> None:
    for event in understood(Event="user_info_modified"):
        assert isinstance(event, Other)
