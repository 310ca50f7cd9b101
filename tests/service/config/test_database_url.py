"""The URL of a database is either read by the driver as it stands, or refused with what to do.

Red when `check_signs` counts no @ and checks no escape, or when the user may contain a /.
"""

from urllib.parse import quote, unquote

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from service.config.database_url import database_url
from service.config.fault import Fault

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12)
FORMS = ("postgresql://u:{}@h:5433/d", "mysql://u:{}@[::1]:5433/d", "mariadb://u:{}@h:5433/d?charset=utf8mb4")


def judged(url: str) -> tuple[str, str]:
    """Return the URL that is accepted, or the fault."""
    try:
        return database_url(url), ""
    except Fault as fault:
        return "", str(fault)


def understood(url: str) -> dict[str, object]:
    """Return what the driver connects with."""
    address = sa.make_url(url)
    made: dict[str, object] = address.get_dialect()().create_connect_args(address)[1]
    return made


@given(password=PRINTABLE, form=st.sampled_from(FORMS))
@example(password="hunt@er2", form=FORMS[0])
@example(password="100%", form=FORMS[1])
@example(password="a:b/c?d#e[f", form=FORMS[0])
@example(password="x@h2/d?ssl=disable#", form=FORMS[0])
@example(password="pass+é密", form=FORMS[1])
def test_a_raw_password_is_read_as_it_stands_or_refused(password: str, form: str) -> None:
    url, fault = judged(form.format(password))
    if url:
        assert understood(url).items() >= {"password": unquote(password), "user": "u", "port": 5433}.items()
    else:
        assert "percent-encode" in fault or "%20" in fault or "%00" in fault
        # The fault may contain it by chance, in words that another password gets as well.
        assert len(password) < 4 or password not in fault or password in judged(form.format("an@ot her"))[1]


@given(password=PRINTABLE, form=st.sampled_from(FORMS))
def test_an_encoded_password_is_what_was_encoded(password: str, form: str) -> None:
    url = database_url(form.format(quote(password, safe="")))
    assert understood(url).items() >= {"password": password, "user": "u", "port": 5433}.items()


@given(st.text(max_size=20), st.sampled_from(["postgresql", "mysql", "sqlite"]))
def test_every_accepted_url_is_read_by_the_driver(rest: str, scheme: str) -> None:
    url, _ = judged(f"{scheme}://{rest}")
    if url:
        understood(url)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("postgresql://h/d?sslmode=verify-full", {"ssl": "verify-full"}),
        ("postgresql://h/d?prepared_statement_cache_size=0", {"prepared_statement_cache_size": 0}),
        ("postgresql:///d?host=/run/pg&port=5433", {"host": "/run/pg", "port": 5433}),
        (
            "mysql://h/d?ssl_ca=/ca.pem&ssl_check_hostname=false",
            {"ssl": {"ca": "/ca.pem", "check_hostname": False}},
        ),
        ("mysql://localhost/d?unix_socket=/run/m.sock", {"unix_socket": "/run/m.sock"}),
    ],
)
def test_known_options_reach_the_driver(url: str, arguments: dict[str, object]) -> None:
    assert understood(database_url(url)).items() >= arguments.items()
