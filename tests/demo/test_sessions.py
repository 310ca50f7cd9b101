import pytest

from demo import sessions as module
from demo.sessions import LIFETIME, Sessions


def test_session_is_found_until_it_ends() -> None:
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    session = sessions.start()
    now[0] = LIFETIME - 1
    assert sessions.get(session.id) is session
    now[0] = LIFETIME
    assert sessions.get(session.id) is None


def test_replaced_session_is_worth_nothing_and_leaves_nothing_behind() -> None:
    sessions = Sessions()
    before = sessions.start()
    after = sessions.start(user_id="anna", instead_of=before)
    assert sessions.get(before.id) is None
    assert sessions.get(after.id) is after
    assert not {before.id, before.state, before.tag} & {after.id, after.state, after.tag}


def test_what_scanbind_sees_is_not_the_cookie() -> None:
    session = Sessions().start()
    assert len({session.id, session.state, session.tag}) == 3


def test_oldest_session_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    sessions = Sessions()
    first, second, third = sessions.start(), sessions.start(), sessions.start()
    assert [sessions.get(one.id) for one in (first, second, third)] == [None, second, third]


def test_session_owns_the_code_it_asked_for() -> None:
    session = Sessions().start()
    assert session.owns(session.state)


@pytest.mark.parametrize("state", [None, "", "another", "né", "\ud800"])
def test_session_does_not_own_a_code_with_another_state_or_none(state: str | None) -> None:
    assert not Sessions().start().owns(state)
