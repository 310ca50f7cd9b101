"""Random histories of persons and their bindings match a model, step by step and several steps at the same moment.

The model stands in tests/lib/person_model.py. The default run is the same each time; PERSONS=1000 searches 1000
histories on each database, differently each time.

Red when a rule of contract.md 8.5 is left out of service/bindings/rules.py or service/identities/persons.py.
"""

import asyncio
import itertools
import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from person_model import Identity, Model
from person_store import Store

ACME: Final = ("main", "second", "third")
PLATFORMS: Final[dict[str, str | None]] = {
    **dict.fromkeys(ACME, "acme"),
    "rival": "other",
    **dict.fromkeys(("plain", "simple"), ""),
    "site": None,
}
HISTORIES: Final = int(os.environ.get("PERSONS", "0"))
ACCOUNT: Final = st.sampled_from([*PLATFORMS, *ACME * 3])
NAME: Final = st.sampled_from(["anna", "ben"])
IDENTITY: Final = st.builds(lambda account, name: Identity(account, f"{name}-{account}"), ACCOUNT, NAME)
UNIONID: Final = st.sampled_from(["own"] * 5 + ["anna", "ben", "new"])
CLIENT: Final = st.sampled_from(["shop", "shop", "forum"])
USER: Final = st.sampled_from(["41", "42"])
END: Final = st.sampled_from(["disconnect", "disconnect alone", "unfollow", "erase"])
AT_ONCE: Final = st.sampled_from(["log_in", "bind", "bind", "learn", "disconnect", "unfollow", "erase"])


@dataclass(frozen=True, slots=True)
class Step:
    """One of several that are made at the same moment. *one* and *two* are its choices."""

    operation: str
    which: int
    user: str
    one: bool
    two: bool

    def told(self, client: str, among: Sequence[Identity]) -> tuple[list[Any], dict[str, bool]]:
        """Return the arguments of the operation."""
        identity = among[self.which % len(among)]
        match self.operation:
            case "log_in":
                return [client, identity], {}
            case "bind":
                return [client, self.user, identity], {"replace": self.one, "move": self.two}
            case "disconnect":
                return [client, self.user, identity.account if self.one else None], {}
            case "learn":
                return [identity, "new" if self.one else "anna"], {}
        return [identity], {}


STEPS: Final = st.lists(
    st.builds(Step, AT_ONCE, st.integers(0, 3), USER, st.booleans(), st.booleans()), min_size=2, max_size=3
)


class Persons(RuleBasedStateMachine):
    """What followers, sites and WeChat do, each told to the service and to the model. The test sets `store`.

    A history has few identities: what they have in common shows only when the same ones meet again.
    """

    store: ClassVar[Store]
    runner: ClassVar[asyncio.Runner]
    identities: Bundle[Identity] = Bundle("identities")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(PLATFORMS)
        self.runner.run(self.store.empty())

    @initialize(target=identities, chosen=st.lists(IDENTITY, min_size=4, max_size=6, unique=True))
    def choose_identities(self, chosen: list[Identity]) -> MultipleResults[Identity]:
        for identity in chosen[1:]:
            self.learn(identity, "own")
        return multiple(*chosen)

    def step(self, operation: str, *told: Any, **how: bool) -> None:
        self.store.now += timedelta(seconds=1)
        answer = self.runner.run(_call(self.store, operation, told, how))
        assert answer == _call(self.model, operation, told, how)

    @rule(identity=identities, unionid=UNIONID)
    def learn(self, identity: Identity, unionid: str) -> None:
        own, _, _ = identity.openid.partition("-")
        self.step("follow", identity)
        self.step("learn", identity, own if unionid == "own" else unionid)

    @rule(client=CLIENT, identity=identities)
    def log_in(self, client: str, identity: Identity) -> None:
        self.step("log_in", client, identity)

    @rule(client=CLIENT, user=USER, identity=identities, replace=st.booleans(), move=st.booleans())
    def bind(self, client: str, user: str, identity: Identity, replace: bool, move: bool) -> None:
        self.step("bind", client, user, identity, replace=replace, move=move)

    @rule(client=CLIENT, user=USER, identity=identities, replace=st.booleans())
    def sign_up(self, client: str, user: str, identity: Identity, replace: bool) -> None:
        self.step("sign_up", client, user, identity, replace=replace)

    @rule(client=CLIENT, identity=identities, end=END)
    def end(self, client: str, identity: Identity, end: str) -> None:
        if end in ("unfollow", "erase"):
            self.step(end, identity)
        else:
            user = self.model.bindings.get(client, {}).get(identity, "41")
            self.step("disconnect", client, user, None if end == "disconnect" else identity.account)

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        assert self.runner.run(self.store.state()) == self.model.state()

    @invariant()
    def each_identity_would_be_logged_in_to_the_user_of_the_model(self) -> None:
        for client in self.model.bindings:
            assert self.runner.run(self.store.answers(client)) == self.model.answers(client)


class PersonsAtOnce(Persons):
    """With steps of one person, or of identities that may become one, at the same moment."""

    @rule(client=CLIENT, identity=Persons.identities, steps=STEPS)
    def at_once(self, client: str, identity: Identity, steps: list[Step]) -> None:
        place = PLATFORMS[identity.account]
        among = sorted({identity} | {it for it in self.model.unionids if PLATFORMS[it.account] == place})
        calls = [(step.operation, *step.told(client, among)) for step in steps]
        self.store.now += timedelta(seconds=1)
        answers = self.runner.run(self._gather(calls))
        state = self.runner.run(self.store.state())
        for order in itertools.permutations(range(len(calls))):
            trial = deepcopy(self.model)
            told = {at: _call(trial, *calls[at]) for at in order}
            if [told[at] for at in range(len(calls))] == answers and trial.state() == state:
                self.model = trial
                return
        raise AssertionError(f"no order explains {answers} and {state} after {self.model.state()}")

    async def _gather(self, calls: list[tuple[str, list[Any], dict[str, bool]]]) -> list[Any]:
        return await asyncio.gather(*(_call(self.store, *each) for each in calls))


def _call(there: Model | Store, operation: str, told: Sequence[Any], how: dict[str, bool]) -> Any:
    return getattr(there, operation)(*told, **how)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def store(url: str, tmp_path: Path, runner: asyncio.Runner) -> Iterator[Store]:
    opening = Store.opened(url, tmp_path, PLATFORMS)
    yield runner.run(opening.__aenter__())
    runner.run(opening.__aexit__(None, None, None))


@pytest.mark.timeout(7200 if HISTORIES else 300)
@pytest.mark.parametrize("machine", [Persons, PersonsAtOnce], ids=["alone", "at once"])
def test_random_histories_of_persons_match_the_model(
    machine: type[Persons], url: str, store: Store, runner: asyncio.Runner
) -> None:
    few = 20 if url.startswith("sqlite") and machine is Persons else 4
    search = settings(max_examples=HISTORIES or few, stateful_step_count=30, derandomize=not HISTORIES)
    run_state_machine_as_test(type("Stored", (machine,), {"store": store, "runner": runner}), settings=search)
