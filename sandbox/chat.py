"""What a chat holds, and which parts of a text can be tapped (wechat-protocol.md 3.6). Pure."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

FAULT: Final = "该公众号提供的服务出现故障，请稍后再试"
"""What WeChat shows when the service did not answer well (wechat-protocol.md 3.4)."""

Side = Literal["person", "account", "wechat"]
"""Who says it; `wechat` is the app itself: notes and faults."""

_ANCHOR: Final = re.compile(r"""<a\s+href=(["'])([^"'<>]*)\1\s*>([^<]*)</a>""")
_MENU: Final = "weixin://bizmsgmenu?"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a message: bare text, a link that opens `href`, or one that says `says` when tapped."""

    text: str
    href: str | None = None
    says: str | None = None
    menu_id: str | None = None
    """`msgmenuid` of a link that says something."""


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a chat; `id` grows along the chat."""

    id: int
    at: float
    side: Side
    text: str
    pieces: tuple[Piece, ...] = ()


def pieces(text: str) -> tuple[Piece, ...]:
    """Cut a text into bare stretches and links; anything else that looks like HTML is bare."""
    found: list[Piece] = []
    end = 0
    for match in _ANCHOR.finditer(text):
        link = _link(match[2], label=match[3])
        if link is None:
            continue
        found += [Piece(text[end : match.start()]), link]
        end = match.end()
    found.append(Piece(text[end:]))
    return tuple(piece for piece in found if piece.text or piece.says)


def menu_link(content: str, *, menu_id: str) -> str:
    """Return a link, as a text holds it, that says `content` when tapped."""
    query = f"msgmenucontent={quote(content, safe='')}&msgmenuid={quote(menu_id, safe='')}"
    return f'<a href="{_MENU}{query}">{content}</a>'


def _link(href: str, *, label: str) -> Piece | None:
    if href.startswith(("https://", "http://")):
        return Piece(label, href=href)
    if not href.startswith(_MENU):
        return None
    # Percent-decoding alone: in WeChat a plus sign stays a plus sign.
    given = {name: unquote(value) for name, _, value in (p.partition("=") for p in href[len(_MENU) :].split("&"))}
    content = given.get("msgmenucontent")
    return Piece(label, says=content, menu_id=given.get("msgmenuid")) if content else None
