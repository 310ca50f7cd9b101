"""The validity rules of wechat-protocol.md 1."""

import pytest

from sandbox.account import default_account
from sandbox.errors import Refused
from sandbox.tokens import FORCES_A_DAY, LIFETIME, OVERLAP, TokenStore

ACCOUNT = default_account("http://127.0.0.1:1/")
START = 1_700_000_000.0
ASKED = {"grant_type": "client_credential", "appid": ACCOUNT.appid, "secret": ACCOUNT.secret}
FORCED = {**ASKED, "force_refresh": True}


@pytest.fixture
def tokens() -> TokenStore:
    return TokenStore(ACCOUNT)


def errcode(tokens: TokenStore, token: object, *, now: float) -> int:
    try:
        tokens.check(str(token), now=now)
    except Refused as e:
        return e.errcode
    return 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"grant_type": "password"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": None}, 41004),
        ({"appid": "wxother"}, 40013),
        ({"secret": "not 32 hex digits"}, 40125),
        ({"secret": "f" * 32}, 40001),
    ],
)
def test_a_faulty_request_gets_an_explanation(
    tokens: TokenStore, change: dict[str, object], expected: int
) -> None:
    for ask in (tokens.classic, tokens.stable):
        with pytest.raises(Refused) as refused:
            ask({**ASKED, **change}, now=0)
        assert refused.value.errcode == expected


def test_classic_token_supersedes_the_last_which_overlaps(tokens: TokenStore) -> None:
    first = tokens.classic(ASKED, now=START)["access_token"]
    second = tokens.classic(ASKED, now=START + 10)["access_token"]
    assert first != second
    assert errcode(tokens, first, now=START + 10 + OVERLAP - 1) == 0
    assert errcode(tokens, first, now=START + 10 + OVERLAP) == 40001
    assert errcode(tokens, second, now=START + 10 + OVERLAP) == 0


def test_a_third_classic_token_does_not_prolong_the_first(tokens: TokenStore) -> None:
    first = tokens.classic(ASKED, now=0)["access_token"]
    tokens.classic(ASKED, now=10)
    tokens.classic(ASKED, now=200)
    assert errcode(tokens, first, now=10 + OVERLAP) == 40001


def test_token_past_its_time_is_expired_even_when_superseded(tokens: TokenStore) -> None:
    first = tokens.classic(ASKED, now=0)["access_token"]
    assert errcode(tokens, first, now=LIFETIME - 1) == 0
    assert errcode(tokens, first, now=LIFETIME) == 42001
    tokens.classic(ASKED, now=LIFETIME)
    assert errcode(tokens, first, now=LIFETIME + OVERLAP) == 42001


def test_stable_token_stays_the_same_until_its_last_minutes(tokens: TokenStore) -> None:
    first = tokens.stable(ASKED, now=0)
    later = tokens.stable(ASKED, now=LIFETIME - OVERLAP)
    renewed = tokens.stable(ASKED, now=LIFETIME - OVERLAP + 1)
    assert first == {"access_token": later["access_token"], "expires_in": LIFETIME}
    assert later["expires_in"] == OVERLAP
    assert renewed["access_token"] != later["access_token"]
    assert renewed["expires_in"] == LIFETIME
    assert errcode(tokens, later["access_token"], now=LIFETIME - 1) == 0
    assert errcode(tokens, later["access_token"], now=LIFETIME) == 42001


def test_classic_and_stable_tokens_leave_each_other_alone(tokens: TokenStore) -> None:
    stable = tokens.stable(ASKED, now=0)["access_token"]
    classic = tokens.classic(ASKED, now=0)["access_token"]
    tokens.classic(ASKED, now=1)
    tokens.stable(FORCED, now=1)
    assert errcode(tokens, stable, now=1) == 40001
    assert errcode(tokens, classic, now=1 + OVERLAP - 1) == 0


def test_force_refresh_ends_the_old_token_at_once(tokens: TokenStore) -> None:
    first = tokens.stable(ASKED, now=0)["access_token"]
    second = tokens.stable(FORCED, now=1)["access_token"]
    assert errcode(tokens, first, now=1) == 40001
    assert errcode(tokens, second, now=1) == 0


def test_force_refresh_twice_within_half_a_minute_refreshes_once(tokens: TokenStore) -> None:
    first = tokens.stable(FORCED, now=0)["access_token"]
    assert tokens.stable(FORCED, now=29)["access_token"] == first
    assert tokens.stable(FORCED, now=30)["access_token"] != first


def test_only_true_forces(tokens: TokenStore) -> None:
    first = tokens.stable(ASKED, now=0)["access_token"]
    assert tokens.stable({**ASKED, "force_refresh": "true"}, now=60)["access_token"] == first


def test_force_refresh_has_a_daily_limit(tokens: TokenStore) -> None:
    for number in range(FORCES_A_DAY):
        tokens.stable(FORCED, now=START + 30 * number)
    with pytest.raises(Refused) as refused:
        tokens.stable(FORCED, now=START + 30 * FORCES_A_DAY)
    assert refused.value.errcode == 45009
    assert tokens.stable(FORCED, now=START + 86_400)["access_token"]


def test_classic_tokens_have_a_daily_limit(tokens: TokenStore) -> None:
    for _ in range(2000):
        tokens.classic(ASKED, now=0)
    with pytest.raises(Refused) as refused:
        tokens.classic(ASKED, now=0)
    assert refused.value.errcode == 45009


def test_tokens_long_over_are_forgotten(tokens: TokenStore) -> None:
    first = str(tokens.classic(ASKED, now=0)["access_token"])
    tokens.classic(ASKED, now=LIFETIME + 86_400)
    assert not tokens.is_issued(first)
