"""Seeds and findings of fuzzing are sent again and checked as strictly, without atheris."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fuzz import bodies, callback, engine, raw_http, sealing, tickets
from fuzz.case import Case
from fuzz.fixtures import Props
from fuzz.log_checks import journal
from fuzz.mutation import Mutator
from fuzz.response_checks import Answer, Fault, check
from fuzz.service import Service
from fuzz.target import Target, Trial

TARGETS = {target.name: target for target in (callback.TARGET, tickets.TARGET, bodies.TARGET)}
PROBLEM = b'{"type":"/problems/not-found","title":"Nothing","status":404,"detail":"nothing","instance":"abc"}'
HEADERS = {"content-type": "application/problem+json", "x-request-id": "abc"}


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
async def test_every_case_of_the_corpus_is_answered_as_it_must_be(target: Target) -> None:
    async with engine.opened(target) as trial:
        for file in engine.cases(target.name):
            await _sent(trial, file)


async def _sent(trial: Trial, file: Path) -> None:
    try:
        await trial.run(file.read_bytes())
    except Fault as fault:
        pytest.fail(f"{file.name}: {fault}")


@pytest.fixture
async def trial() -> AsyncIterator[Trial]:
    async with engine.opened(tickets.TARGET) as opened:
        yield opened


async def test_every_write_is_noticed(trial: Trial) -> None:
    """Red when `Watch` looks at the tables' sizes alone, or not at Redis."""
    watch = trial.service.watch
    assert watch.moved() == {}
    await trial.service.ask(
        Case.read(b"GET /portal/open/$link$\nSec-Fetch-Site: same-site\n\n").filled(trial.props.values).wire()
    )
    assert watch.moved() == {"rows": 0}
    await trial.props.renew({"link"})
    assert watch.moved() == {"portal_sessions": 1}
    await trial.props.renew({"ticket"})
    assert watch.moved()["redis"] > 0


async def test_a_push_that_proves_nothing_may_write_nothing() -> None:
    """Red when `callback.check` checks nothing: the target treats this push as not encrypted."""
    scan = (engine.CORPUS / "callback" / "scan-safe").read_bytes()
    async with engine.opened(replace(callback.TARGET, prepare=_sealed_by_somebody)) as trial:
        with pytest.raises(Fault, match="proves nothing"):
            await trial.run(scan.replace(b"$sealed_safe$", b""))


def _sealed_by_somebody(case: Case) -> Case:
    return sealing.sealed(replace(case, target=b"/wechat/safe?$sealed_safe$"))


async def test_a_refusal_may_write_nothing(trial: Trial) -> None:
    """Red when `Trial.run` lets refusals write."""
    service = _Restless(trial.service.server, trial.service.watch, trial.props)
    with pytest.raises(Fault, match="refused"):
        await replace(trial, service=service).run(b"GET /nowhere")


@dataclass(frozen=True, slots=True)
class _Restless(Service):
    """Writes something whenever it is asked, as a service with a fault might."""

    props: Props

    async def ask(self, request: bytes) -> Answer:
        await self.props.renew({"ticket"})
        return await raw_http.ask(self.server, request)


async def test_an_answer_without_proof_is_a_fault(trial: Trial) -> None:
    """Red when `tickets.check` checks nothing: the target treats the secret as wrong."""
    case = b"GET /v1/tickets/$ticket$\nAuthorization: Bearer $other$\n\n"
    trial.props.values["other"] = trial.props.values["secret"]
    trial.props.values["secret"] = b"nobody's"
    with pytest.raises(Fault, match="without proof"):
        await trial.run(case)


async def test_an_error_in_the_log_is_a_fault() -> None:
    """Red when `Journal` keeps nothing."""
    with journal() as kept:
        kept.check()
        logging.getLogger("somewhere").error("broken")
        with pytest.raises(Fault, match="broken"):
            kept.check()
        logging.getLogger("somewhere").info("caught", exc_info=ValueError("odd"))
        with pytest.raises(Fault, match="odd"):
            kept.check()
        kept.check()


def test_a_good_problem_is_no_fault() -> None:
    check(Answer(404, HEADERS, PROBLEM), statuses={404}, secrets=(b"hidden",))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(500, HEADERS, PROBLEM), "status 500"),
        (Answer(404, {"content-type": "application/problem+json"}, PROBLEM), "X-Request-Id"),
        (Answer(404, HEADERS, b"nothing"), "not problem JSON"),
        (Answer(404, HEADERS, b"{}"), "wrong form"),
        (Answer(404, {**HEADERS, "content-type": "text/plain"}, PROBLEM), "wrong form"),
        (Answer(404, {**HEADERS, "x-request-id": "def"}, PROBLEM), "contradicts"),
        (Answer(200, HEADERS, b"so hidden"), "secret"),
        (Answer(200, {**HEADERS, "location": "hidden"}, b""), "secret"),
    ],
)
def test_a_bad_answer_is_a_fault(answer: Answer, fault: str) -> None:
    """Red, each, when its line in `fuzz.answer` is gone."""
    with pytest.raises(Fault, match=fault):
        check(answer, statuses={200, 404}, secrets=(b"hidden",))


def test_names_are_filled_changed_and_cut() -> None:
    case = Case.read(b"GET /$ticket$/$ticket~1$/$ticket<2$/$nothing$\n\n")
    assert case.filled({"ticket": b"abc"}).target == b"/abc/aAc/ab/$nothing$"


def test_any_bytes_are_one_whole_request() -> None:
    wire = Case.read(b"BREW  pot \r\x00\nContent-Length: 9\nbad header\nX-A: b\x01c\n\nbody").wire()
    assert wire == (
        b"POST /+pot+++ HTTP/1.1\r\nHost: fuzz.example\r\nX-A: b c\r\n"
        b"Content-Length: 4\r\nConnection: close\r\n\r\nbody"
    )


def test_the_same_seed_gives_the_same_case() -> None:
    seeds = [file.read_bytes() for file in engine.cases("bodies")]
    mutator = Mutator([b"word"], seeds, blind=lambda data, _size: data[::-1])
    made = {mutator(seeds[0], 4096, seed) for seed in range(200)}
    assert made == {mutator(seeds[0], 4096, seed) for seed in range(200)}
    assert len(made) > 100
