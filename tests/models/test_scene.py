"""A scene is signed: a change of one character, client, account or user makes it invalid.

Red when the tag leaves out a field of the head, when version 1 has a bind with the user id in the scene, a letter
that is no method's, or one for the scan, or when a ticket can be longer or shorter than its first characters say.
Covers: models.language.
"""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.binding import UserId
from models.language import Lang
from models.method import Method
from models.scene import (
    ALPHABET,
    MAX_LENGTH,
    NONCE_LENGTH,
    Kind,
    Scene,
    bind_kind,
    make,
    read,
    read_ticket,
)
from models.ticket import Purpose, Via

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
EXPIRES = datetime(2026, 3, 1, 12, tzinfo=UTC)
UUID = UserId("123e4567-e89b-12d3-a456-426614174000")
KEPT = UserId("anna@shop.example")


@dataclass(frozen=True, slots=True)
class Sample:
    """A scene and what it was made for."""

    scene: Scene
    user_id: UserId | None

    def believes(self, text: str) -> bool:
        """Tell whether *text* is believed to be of the same client and account, as a push's reader does."""
        scene = read(text)
        if scene is None:
            return False
        user_id = self.user_id if scene.head.kind is Kind.BIND_KEPT else scene.user_id
        return scene.belongs(client="shop", account="main", user_id=user_id, key=KEY)


def _sample(
    kind: Kind, user_id: UserId | None = None, *, method: Method = Method.SCAN, lang: Lang | None = None
) -> Sample:
    scene = make(
        method=method,
        kind=kind,
        lang=lang,
        expires_at=EXPIRES,
        nonce="n0-_" * 4,
        client="shop",
        account="main",
        user_id=user_id,
        key=KEY,
    )
    return Sample(scene, user_id)


SAMPLES = [
    _sample(Kind.LOGIN_PAGE),
    _sample(Kind.LOGIN_BACKEND, lang=Lang.EN),
    _sample(Kind.BIND, UserId("42"), lang=Lang.ZH),
    _sample(Kind.BIND, UUID),
    _sample(Kind.BIND_KEPT, KEPT),
    _sample(Kind.LOGIN_PAGE, method=Method.LINK),
    _sample(Kind.LOGIN_BACKEND, method=Method.MINIPROGRAM, lang=Lang.ZH),
    _sample(Kind.BIND_KEPT, UserId("42"), method=Method.WECOM, lang=Lang.EN),
]
OTHERS = [method for method in Method if method is not Method.SCAN]
each = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.scene.text)
short_ids = st.text(ALPHABET, min_size=1, max_size=36).map(UserId)


@each
def test_a_scene_comes_back_as_it_was_made(sample: Sample) -> None:
    assert read(sample.scene.text) == sample.scene
    assert sample.believes(sample.scene.text)


@given(
    method=st.sampled_from(Method),
    kind=st.sampled_from([Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND, None]),
    lang=st.sampled_from([None, *Lang]),
    seconds=st.integers(0, 2**36 - 1),
    user_id=st.one_of(short_ids, st.text(min_size=1).map(UserId)),
    nonce=st.text(ALPHABET, min_size=NONCE_LENGTH, max_size=NONCE_LENGTH),
)
def test_any_scene_comes_back(
    *, method: Method, kind: Kind | None, lang: Lang | None, seconds: int, user_id: UserId, nonce: str
) -> None:
    kind, bound = (kind, None) if kind is not None else (bind_kind(method, user_id), user_id)
    made = make(
        method=method,
        kind=kind,
        lang=lang,
        expires_at=datetime.fromtimestamp(seconds, UTC),
        nonce=nonce,
        client="shop",
        account="main",
        user_id=bound,
        key=KEY,
    )
    head = made.head
    assert (head.method, head.kind, head.lang, head.expires_at.timestamp()) == (method, kind, lang, seconds)
    assert read(made.text) == made
    assert read_ticket(head.ticket) == head
    assert len(made.text) <= MAX_LENGTH
    assert made.belongs(client="shop", account="main", user_id=bound, key=KEY)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("kind", [Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND, Kind.BIND_KEPT])
def test_a_ticket_of_another_method_is_a_scene_that_fits_a_mini_program(method: Method, kind: Kind) -> None:
    scene = _sample(kind, UserId("42") if kind is Kind.BIND_KEPT else None, method=method).scene
    assert (len(scene.text), scene.text, scene.head.method) == (32, scene.head.ticket, method)


def test_a_first_character_and_a_letter_name_one_kind_of_one_method() -> None:
    """What the first two characters can say is what `make` writes, and nothing else."""
    rest = "A" * 30
    heads = [read_ticket(f"{first}{letter}{rest}") for first, letter in itertools.product(ALPHABET, repeat=2)]
    said = [(head.method, head.kind, head.lang) for head in heads if head]
    kinds = [Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND, Kind.BIND_KEPT]
    assert len(said) == len(set(said))
    assert set(said) == set(itertools.product(OTHERS, kinds, [None, *Lang]))


def test_a_user_id_behind_a_ticket_of_another_method_is_no_scene() -> None:
    for sample in SAMPLES:
        if sample.scene.head.method is not Method.SCAN:
            assert read(f"{sample.scene.text}42") is None


def test_a_scan_is_written_as_before_there_were_other_methods() -> None:
    """An older process beside this one reads these texts, and tickets that it made stay valid."""
    assert [sample.scene.text for sample in SAMPLES[:5]] == [
        "ABppCpAn0-_n0-_n0-_n0-_LxrOszMltqN_ZtOv",
        "JBppCpAn0-_n0-_n0-_n0-_GbRbwpFNbBPVIrTP",
        "GBppCpAn0-_ngXFuFDYKS9bFk2RC42",
        "CBppCpAn0-_nTj-iYmZmm4pdlDzB123e4567-e89b-12d3-a456-426614174000",
        "DBppCpAn0-_nxE-_oGk4AelY5yCR",
    ]


@each
def test_no_character_can_be_changed(sample: Sample) -> None:
    text = sample.scene.text
    forged = [
        text[:at] + other + text[at + 1 :] for at in range(len(text)) for other in ALPHABET if other != text[at]
    ]
    assert [one for one in forged if sample.believes(one)] == []


@each
def test_no_character_can_be_left_out_or_added(sample: Sample) -> None:
    text = sample.scene.text
    forged = [text[:at] + text[at + 1 :] for at in range(len(text))]
    forged += [text[:at] + other + text[at:] for at in range(len(text) + 1) for other in "A_9"]
    assert [one for one in forged if one != text and sample.believes(one)] == []


@each
def test_a_scene_verifies_for_its_own_key_client_account_and_user_alone(sample: Sample) -> None:
    right = {"client": "shop", "account": "main", "user_id": sample.user_id, "key": KEY}
    wrong = {"client": "club", "account": "second", "user_id": UserId("other"), "key": OTHER_KEY}
    belongs = sample.scene.belongs
    assert belongs(**right)  # type: ignore[arg-type]  # four fields of three types
    for name, value in wrong.items():
        assert not belongs(**{**right, name: value})  # type: ignore[arg-type]  # as above


def test_no_two_claims_read_alike() -> None:
    """What belongs to one field cannot be moved into its neighbour."""
    scene = _sample(Kind.BIND_KEPT, KEPT).scene
    for client, account, user_id in (("shopmain", "", KEPT), ("", "shopmain", KEPT), ("shop", f"main{KEPT}", "")):
        assert not scene.belongs(client=client, account=account, user_id=UserId(user_id), key=KEY)


@each
def test_a_scene_fits_into_a_code(sample: Sample) -> None:
    assert len(sample.scene.text) <= MAX_LENGTH
    assert set(sample.scene.text) <= set(ALPHABET)


def test_a_uuid_fills_the_scene_to_its_last_character() -> None:
    assert len(_sample(Kind.BIND, UUID).scene.text) == MAX_LENGTH


@pytest.mark.parametrize(
    ("user_id", "kind"),
    [
        ("42", Kind.BIND),
        (UUID, Kind.BIND),
        ("a" * 36, Kind.BIND),
        ("a" * 37, Kind.BIND_KEPT),
        (KEPT, Kind.BIND_KEPT),
        ("安娜", Kind.BIND_KEPT),
        ("a\n", Kind.BIND_KEPT),
    ],
)
def test_only_a_short_and_simple_user_id_stands_in_the_scene(user_id: str, kind: Kind) -> None:
    assert bind_kind(Method.SCAN, UserId(user_id)) is kind
    assert {bind_kind(method, UserId(user_id)) for method in OTHERS} == {Kind.BIND_KEPT}


def test_a_kept_user_id_does_not_show() -> None:
    scene = _sample(Kind.BIND_KEPT, KEPT).scene
    assert scene.text == scene.head.ticket
    assert scene.user_id is None


@pytest.mark.parametrize(
    ("kind", "purpose", "via"),
    [
        (Kind.LOGIN_PAGE, Purpose.LOGIN, Via.PAGE),
        (Kind.LOGIN_BACKEND, Purpose.LOGIN, Via.BACKEND),
        (Kind.BIND, Purpose.BIND, Via.BACKEND),
        (Kind.BIND_KEPT, Purpose.BIND, Via.BACKEND),
    ],
)
def test_a_ticket_says_what_it_is_for_and_until_when(kind: Kind, purpose: Purpose, via: Via) -> None:
    user_id = UserId("42") if kind is Kind.BIND else None
    head = _sample(kind, user_id, lang=Lang.ZH).scene.head
    assert (head.purpose, head.via, head.lang, head.expires_at) == (purpose, via, Lang.ZH, EXPIRES)
    assert read_ticket(head.ticket) == head


def test_a_ticket_alone_is_no_bind_scene() -> None:
    """A logged ticket does not reveal the scene: the user id is missing."""
    scene = _sample(Kind.BIND, UserId("42")).scene
    assert read(scene.head.ticket) is None
    assert read_ticket(scene.text) is None


def test_times_are_cut_to_whole_seconds() -> None:
    made = make(
        method=Method.SCAN,
        kind=Kind.LOGIN_PAGE,
        lang=None,
        expires_at=EXPIRES + timedelta(milliseconds=999),
        nonce="n" * 16,
        client="shop",
        account="main",
        key=KEY,
    )
    assert made.head.expires_at == EXPIRES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "qrscene_",
        "last_trade_no_4008450740201411110005820873",
        "0" * 64,
        "A" * 65,
        SAMPLES[0].scene.text + "\n",
        SAMPLES[0].scene.text + "=",
        " " + SAMPLES[0].scene.text,
        "g" + "A" * 38,  # a version to come
        "Q" + "L" + "A" * 37,  # a login of another method, as long as the scan's
        "S" + "L" + "A" * 30 + "42",  # a bind of another method with a user id
        "M" + "A" * 38,  # no language of ours
        SAMPLES[0].scene.text.replace("n", "ñ", 1),
    ],
)
def test_what_does_not_have_our_form_is_not_read(text: str) -> None:
    assert read(text) is None
    assert read_ticket(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert not any(sample.believes(text) for sample in SAMPLES)
    read_ticket(text)


@given(st.text(ALPHABET, min_size=28, max_size=64))
def test_no_guess_is_believed(text: str) -> None:
    assert not any(sample.believes(text) for sample in SAMPLES)
