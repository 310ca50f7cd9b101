"""The questions of `scanbind init`, and how answers are checked: by the types of the settings. No I/O."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, TypeAdapter, ValidationError

from models.language import Lang
from models.method import REDIRECTS
from service.config import types
from service.config.fault import Fault
from service.config.settings import ConfigError
from service.setup.kinds import KINDS

Answer = str | tuple[str, ...]


_adapter = cache(TypeAdapter[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, and the flag that answers it."""

    name: str
    """As a flag with dashes."""
    words: Mapping[Lang, str]
    check: Any
    """The annotated type of the setting."""
    default: str | None = None
    """None: an answer is needed."""
    hidden: bool = False
    """Whether the answer is secret: it is not shown, and its flag names a file."""
    several: bool = False
    """Whether there may be many, with spaces between them."""

    @property
    def flag(self) -> str:
        name = self.name.removesuffix("s") if self.several else self.name
        return f"--{name.replace('_', '-')}{'-file' if self.hidden else ''}"

    def checked(self, given: str | Sequence[str]) -> Answer:
        """Return the answer in *given*. Raises Fault with the words that `check-config` has for it."""
        if not self.several:
            return self._one(str(given).strip()) if given or self.default is None else self.default
        many = given.split() if isinstance(given, str) else given
        if not many and self.default is None:
            raise Fault("must not be empty")
        return tuple(dict.fromkeys(map(self._one, many)))

    def without_answer(self) -> Answer:
        """Return the default. Raises Fault if there is none."""
        if self.default is None:
            raise Fault("is missing")
        return self.checked(self.default)

    def _one(self, text: str) -> str:
        try:
            text.encode()
            _adapter(self.check).validate_python(text)
        except UnicodeEncodeError:
            raise Fault("must be UTF-8 text") from None
        except ValidationError as error:
            # Not chained: pydantic's error contains the input, which may be a secret.
            raise Fault(str(error.errors()[0]["ctx"]["error"])) from None
        return text


Given = Mapping[str, str | Sequence[str]]
Ask = Callable[[Question], str]
Tell = Callable[[str], None]


def _kind(value: str) -> str:
    if value not in KINDS:
        raise Fault(f"must be {', '.join(KINDS)}")
    return value


KIND: Final = Question(
    name="kind",
    words={
        lang: "\n".join([intro, *(f"  {name:<12}{kind.title[lang]}" for name, kind in KINDS.items()), last])
        for lang, intro, last in (
            (Lang.EN, "What do you have?", "Kind"),
            (Lang.ZH, "要接入哪一种账号？", "种类"),
        )
    },
    check=Annotated[str, AfterValidator(_kind)],
)
QUESTIONS: Final = {
    one.name: one
    for one in (
        Question(
            name="public_url",
            words={
                Lang.EN: "Address by which browsers and WeChat reach the service, such as https://login.example",
                Lang.ZH: "浏览器和微信访问本服务的地址，例如 https://login.example",
            },
            check=types.WebAddress,
        ),
        Question(name="appid", words=dict.fromkeys(Lang, "AppID"), check=types.AppId),
        Question(
            name="corpid", words={Lang.EN: "CorpID (企业ID)", Lang.ZH: "企业 ID（CorpID）"}, check=types.CorpId
        ),
        Question(name="agentid", words=dict.fromkeys(Lang, "AgentId"), check=types.AgentId),
        Question(
            name="secret",
            words={Lang.EN: "Its secret, not shown while you type", Lang.ZH: "它的 Secret（输入时不显示）"},
            check=types.Secret,
            hidden=True,
        ),
        Question(
            name="page",
            words={Lang.EN: "Page that its codes open", Lang.ZH: "小程序码打开的页面"},
            check=types.Page,
            default="pages/scan/index",
        ),
        Question(
            name="account_name",
            words={
                Lang.EN: "Name by which people find the account in WeChat, to send it codes; may be empty",
                Lang.ZH: "用户在微信里搜索这个公众号所用的名称，可以不填",
            },
            check=types.Title,
            default="",
        ),
        Question(
            name="client",
            words={
                Lang.EN: "Name of the site for the service, and the user name of its back end: a-z 0-9 _",
                Lang.ZH: "网站在本服务中的名称，也是网站后端的用户名：a-z 0-9 _",
            },
            check=types.Name,
            default="shop",
        ),
        Question(
            name="client_name",
            words={Lang.EN: "Name of the site that people see in WeChat", Lang.ZH: "用户在微信里看到的网站名称"},
            check=types.Title,
        ),
        Question(
            name="origins",
            words={
                Lang.EN: "Origins of its pages, such as https://shop.example, with spaces between; may be empty",
                Lang.ZH: "网站页面的来源（origin），例如 https://shop.example，用空格分隔，可以不填",
            },
            check=types.Origin,
            default="",
            several=True,
        ),
        Question(
            name="return_urls",
            words={
                Lang.EN: "Addresses to which browsers return, such as https://shop.example/done, "
                "with spaces between",
                Lang.ZH: "登录后浏览器返回的地址，例如 https://shop.example/done，用空格分隔",
            },
            check=types.ReturnUrl,
            several=True,
        ),
        Question(
            name="database_url",
            words={
                Lang.EN: "Database: embedded (SQLite), or a URL such as postgresql://USER:PASSWORD@HOST/NAME, "
                "not shown while you type",
                Lang.ZH: "数据库：embedded（SQLite），或地址，例如 "
                "postgresql://USER:PASSWORD@HOST/NAME（输入时不显示）",
            },
            check=types.DatabaseUrl,
            default=types.EMBEDDED,
            hidden=True,
        ),
        Question(
            name="redis_url",
            words={
                Lang.EN: "Redis: embedded (a Valkey that the service starts), or a URL such as "
                "redis://:PASSWORD@HOST:6379/0, not shown while you type",
                Lang.ZH: "Redis：embedded（由本服务启动的 Valkey），或地址，例如 "
                "redis://:PASSWORD@HOST:6379/0（输入时不显示）",
            },
            check=types.RedisUrl,
            default=types.EMBEDDED,
            hidden=True,
        ),
    )
}


def asked(kind: str) -> Iterator[Question]:
    """Yield the questions for an account of *kind*, in order."""
    back = "return_urls" if KINDS[kind].method in REDIRECTS else "origins"
    names = ("public_url", *KINDS[kind].asked, "client", "client_name", back, "database_url", "redis_url")
    return (QUESTIONS[name] for name in names)


def collect(given: Given, *, ask: Ask | None, tell: Tell) -> dict[str, Answer]:
    """Return all answers by name: those *given* by flags, and for the others those of *ask* or the defaults.

    *tell* is called with the fault of an answer of *ask*, which is asked again. Without *ask* nothing is asked.
    Raises ConfigError with a line for each flag that is faulty, missing, or not for the kind, before it asks.
    """
    kind = str(_answers([KIND], given, ask=ask, tell=tell)[KIND.name])
    questions = list(asked(kind))
    known = {KIND.name, *(question.name for question in questions)}
    others = [f"{QUESTIONS[name].flag}: is not for kind {kind}" for name in given if name not in known]
    return {KIND.name: kind, **_answers(questions, given, ask=ask, tell=tell, faults=others)}


def _answers(
    questions: Sequence[Question], given: Given, *, ask: Ask | None, tell: Tell, faults: Sequence[str] = ()
) -> dict[str, Answer]:
    by_flag, found = {}, list(faults)
    for question in questions:
        try:
            if question.name in given:
                by_flag[question.name] = question.checked(given[question.name])
            elif ask is None:
                by_flag[question.name] = question.without_answer()
        except Fault as fault:
            found.append(f"{question.flag}: {fault}")
    if found:
        raise ConfigError(found)
    return {
        one.name: by_flag[one.name] if one.name in by_flag or ask is None else _asked(one, ask, tell)
        for one in questions
    }


def _asked(question: Question, ask: Ask, tell: Tell) -> Answer:
    while True:
        try:
            return question.checked(ask(question))
        except Fault as fault:
            tell(str(fault))
