"""A scene is signed: a change of one character, client, account or user makes it invalid.

Covers: models.language.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.binding import UserId
from models.language import Lang
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


def _sample(kind: Kind, user_id: UserId | None = None, *, lang: Lang | None = None) -> Sample:
    nonce = ("n0-_" * 4)[: NONCE_LENGTH[kind]]
    scene = make(
        kind=kind,
        lang=lang,
        expires_at=EXPIRES,
        nonce=nonce,
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
]
each = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.scene.text)
short_ids = st.text(ALPHABET, min_size=1, max_size=36).map(UserId)


@each
def test_a_scene_comes_back_as_it_was_made(sample: Sample) -> None:
    assert read(sample.scene.text) == sample.scene
    assert sample.believes(sample.scene.text)


@given(
    kind=st.sampled_from([Kind.LOGIN_PAGE, Kind.LOGIN_BACKEND, Kind.BIND]),
    lang=st.sampled_from([None, *Lang]),
    seconds=st.integers(0, 2**36 - 1),
    user_id=short_ids,
    data=st.data(),
)
def test_any_scene_comes_back(
    kind: Kind, lang: Lang | None, seconds: int, user_id: UserId, data: st.DataObject
) -> None:
    carried = user_id if kind is Kind.BIND else None
    length = NONCE_LENGTH[kind]
    made = make(
        kind=kind,
        lang=lang,
        expires_at=datetime.fromtimestamp(seconds, UTC),
        nonce=data.draw(st.text(ALPHABET, min_size=length, max_size=length)),
        client="shop",
        account="main",
        user_id=carried,
        key=KEY,
    )
    assert read(made.text) == made
    assert read_ticket(made.head.ticket) == made.head
    assert len(made.text) <= MAX_LENGTH
    assert made.belongs(client="shop", account="main", user_id=carried, key=KEY)


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
    assert bind_kind(UserId(user_id)) is kind


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
        "m" + "A" * 38,  # a version to come
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
