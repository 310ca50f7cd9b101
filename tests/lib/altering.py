"""Texts that differ from a given one."""


def altered(text: str) -> str:
    """Return *text* with another last character, a letter."""
    return text[:-1] + ("A" if text[-1] != "A" else "B")
