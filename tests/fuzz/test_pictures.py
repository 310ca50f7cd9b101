"""The fuzzing of pictures: red when it reads none of its own files, or lets a wrong result pass."""

from pathlib import Path

import pytest
from picture_files import HTML, halves, written

from fuzz import pictures


def test_some_mutations_are_read_and_none_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read, wrong = pictures.run(500, seed=3)
    assert wrong is None
    assert 50 < read < 500


def test_all_seeds_are_read() -> None:
    seeds = pictures.seeds()
    assert len(seeds) > 12
    assert all(pictures.tried(seed)[0] for seed in seeds)


@pytest.mark.parametrize(
    "result", [written(halves()), written(halves((133, 1)), "JPEG"), written(halves(), "JPEG") + bytes(32 * 1024)],
    ids=["PNG", "wide", "long"],
)  # fmt: skip
def test_a_result_that_is_no_small_jpeg_is_a_fault(result: bytes) -> None:
    assert pictures.fault(result)


def test_files_are_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "case"
    file.write_bytes(HTML)
    assert pictures.main([str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no fault\n"
