"""Mutates cases, with a dictionary of words for each target."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_TOKEN: Final = re.compile(rb'"[^"\n]*"|<[^>\n]*>|\$[a-z_~<0-9]+\$|[A-Za-z0-9_.-]+')
_MIDDLE: Final = b"\n\n"
_QUOTES: Final = ((b'"', b'"'), (b"<![CDATA[", b"]]>"))
_FITTED: Final = 0.7
"""The probability that a word gets the quotes of the token it replaces, so that the document stays well-formed."""
_MOST_AT_ONCE: Final = 3
_FRESH, _INSIDE, _BLIND, _ONCE_MORE = 0.6, 0.8, 0.3, 0.3
"""Probabilities: start from a seed, change only the body, mutate without words, make one more change."""

Way = Callable[[bytes, Random], bytes]


class Mutator:
    """Mutates cases at random: with *blind*, which is libFuzzer's own mutation, or by words, tokens and lines."""

    def __init__(
        self, words: Sequence[bytes], seeds: Sequence[bytes], *, blind: Callable[[bytes, int], bytes]
    ) -> None:
        self._words, self._seeds, self._blind = words, seeds, blind
        self._ways: tuple[Way, ...] = (self._insert, self._replace, self._replace, self._drop, self._twice)

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Return a mutated case of at most *max_size* bytes, determined by *seed*."""
        draw = Random(seed)
        if draw.random() < _FRESH:
            data = draw.choice(self._seeds)
        head, middle, body = data.partition(_MIDDLE)
        if body and draw.random() < _INSIDE:
            return (head + middle + self._changed(body, max_size, draw))[:max_size]
        return (self._changed(head, max_size, draw) + middle + body)[:max_size]

    def _changed(self, data: bytes, max_size: int, draw: Random) -> bytes:
        if draw.random() < _BLIND:
            return self._blind(data, max_size)
        for _ in range(_MOST_AT_ONCE):
            data = draw.choice(self._ways)(data, draw)
            if draw.random() > _ONCE_MORE:
                break
        return data

    def _insert(self, data: bytes, draw: Random) -> bytes:
        place = draw.randint(0, len(data))
        return data[:place] + draw.choice(self._words) + data[place:]

    def _replace(self, data: bytes, draw: Random) -> bytes:
        tokens = list(_TOKEN.finditer(data))
        if not tokens:
            return self._insert(data, draw)
        token = draw.choice(tokens)
        return data[: token.start()] + _fitted(draw.choice(self._words), token[0], draw) + data[token.end() :]

    def _drop(self, data: bytes, draw: Random) -> bytes:
        lines = data.split(b"\n")
        del lines[draw.randrange(len(lines))]
        return b"\n".join(lines)

    def _twice(self, data: bytes, draw: Random) -> bytes:
        tokens = list(_TOKEN.finditer(data))
        if not tokens:
            return data
        token = draw.choice(tokens)
        return data[: token.end()] + token[0] + data[token.end() :]


def _fitted(word: bytes, token: bytes, draw: Random) -> bytes:
    for opening, closing in _QUOTES:
        if token.startswith(opening) and draw.random() < _FITTED:
            return opening + word.strip(b'"') + closing
    return word
