"""Request and response bodies of mini programs (contract.md 8.4)."""

from typing import Annotated

from pydantic import BaseModel, Field

from handlers.http import patterns
from handlers.http.schemas import RequestBody, Seconds, documented
from models.language import Lang
from models.ticket import Confirm, Outcome, Purpose, Reason, Status


class ScanRequest(RequestBody):
    scene: Annotated[str, Field(max_length=64), documented(patterns.CODE_SCENE)]
    """Of the code that opened the page. Any other text is answered as no code of this mini program."""
    js_code: Annotated[str, Field(max_length=128, pattern="^[!-~]+$", description="A fresh code of `wx.login`.")]


class AnswerRequest(RequestBody):
    reply_token: Annotated[str, Field(max_length=64), documented(patterns.REPLY_TOKEN)]
    answer: Annotated[str, Field(max_length=16, description="`yes`, `no`, or the digits of a number.")]


class Asked(BaseModel):
    """What the mini program shows and asks."""

    site: str
    purpose: Purpose
    account_name: Annotated[str | None, Field(description="The site's name for its user; of binds.")]
    browser: Annotated[str | None, Field(description="The browser that shows the code, if it is known.")]
    address: Annotated[str | None, Field(description="Its IP address, if it is known.")]
    confirm: Annotated[Confirm, Field(description="How to answer; never `none`.")]
    question: Annotated[str, Field(description="What to ask, in `lang`.")]
    options: Annotated[list[str], Field(description="The numbers to choose from, if `confirm` is `choose`.")]
    lang: Lang
    reply_token: Annotated[str, Field(description="For the answer of this person.")]
    expires_in: Seconds


class Told(BaseModel):
    """How the ticket ended."""

    status: Status
    outcome: Outcome | None
    reason: Reason | None
    text: Annotated[str, Field(description="What to tell the person.")]
