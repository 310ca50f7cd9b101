"""The patterns of /openapi.json compared with the rules of the service."""

import re
import sys
import unicodedata

from handlers.http.patterns import PRINTABLE, TICKET
from models.scene import ALPHABET, MAX_LENGTH, read_ticket


def test_the_pattern_of_user_ids_forbids_what_is_not_printable_and_nothing_else() -> None:
    """As far as it can: it leaves unassigned code points, and those beyond U+FFFF, to the service."""
    fits = re.compile(PRINTABLE).fullmatch
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    assert [c for c in every if c.isprintable() and not fits(c)] == []
    known = [c for c in every[:0x10000] if unicodedata.category(c) not in ("Cn", "Cs")]
    assert [c for c in known if fits(c) and not c.isprintable()] == []


def test_the_pattern_of_tickets_has_the_lengths_of_tickets_that_can_be_read() -> None:
    fits, lengths = re.compile(TICKET).fullmatch, range(MAX_LENGTH + 1)
    texts = [f"{first}L{'A' * MAX_LENGTH}" for first in ALPHABET]
    readable = [length for length in lengths if any(read_ticket(text[:length]) for text in texts)]
    assert [length for length in lengths if fits("A" * length)] == readable == [28, 32, 39]
