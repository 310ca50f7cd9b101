"""The fuzzing of sealed calls: red when it opens nothing, reads no call, or lets a wrong envelope pass."""

import json

import pytest

from fuzz import sealed_calls


def test_what_was_sealed_is_opened_and_other_headers_are_not() -> None:
    ring, header = sealed_calls.keys(), {"alg": "dir", "enc": "A256GCM", "kid": "shop"}
    assert sealed_calls.opened(ring, sealed_calls.sealed(json.dumps(header).encode(), b"x")) == b"x"
    assert (
        sealed_calls.opened(ring, sealed_calls.sealed(json.dumps(header | {"zip": "DEF"}).encode(), b"x")) is None
    )


def test_some_mutations_are_calls_and_none_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    calls, wrong = sealed_calls.run(500, seed=3)
    assert wrong is None
    assert 20 < calls < 500
    assert sealed_calls.main(["--runs", "10"]) == 0
    assert "10 runs, no fault" in capsys.readouterr().out


def test_an_envelope_that_opens_though_it_was_changed_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_calls, "opened", lambda *_: b"x")
    assert "opened" in str(sealed_calls.run(10, seed=3)[1])
