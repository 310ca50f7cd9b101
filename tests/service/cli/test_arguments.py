"""How arguments are parsed: words of a fixed set, and options in full."""

import pytest

from models.audit import AuditEvent
from models.binding import Change
from service.cli.main import main


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_an_unknown_event_lists_the_words_that_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    """Red when the choices are members of the enums: argparse prints the repr of each."""
    _, found, words = refusal(["audit", "--event", "foo"], capsys).partition("(choose from ")
    assert found
    listed = words.rstrip(")\n").split(", ")
    assert [word.strip("'") for word in listed] == [event.value for event in (*AuditEvent, *Change)]


@pytest.mark.parametrize(
    "argv", [["foo"], ["serve", "--log-level", "foo"], ["keys", "foo"], ["keys", "new", "foo"]]
)
def test_no_list_of_allowed_words_shows_a_repr(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    error = refusal(argv, capsys)
    assert "choose from" in error
    assert "<" not in error


@pytest.mark.parametrize(
    "argv",
    [
        ["--he", "serve"],
        ["demo", "--po", "5"],
        ["serve", "--log", "INFO"],
        ["audit", "--user", "42"],
        ["keys", "encrypt", "--conf", "config.yaml"],
        ["privacy", "erase", "--openid", "oAnna", "--ye"],
    ],
)
def test_an_abbreviated_option_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Red without `allow_abbrev=False`: an option added later would change what an abbreviation means."""
    assert "unrecognized arguments" in refusal(argv, capsys)
