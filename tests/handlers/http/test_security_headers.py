"""Headers of pages: what the page may run, where its form goes, and which sites may frame it."""

from handlers.http.security_headers import page


def policy(**options: object) -> dict[str, str]:
    header = page("<!doctype html>", **options).headers["Content-Security-Policy"]  # type: ignore[arg-type]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


def test_a_page_runs_only_scripts_of_the_service() -> None:
    rules = policy()
    assert rules["default-src"] == rules["base-uri"] == rules["trusted-types"] == "'none'"
    assert {rules[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert rules["require-trusted-types-for"] == "'script'"


def test_a_page_is_framed_by_the_named_origins_alone() -> None:
    assert policy()["frame-ancestors"] == "'none'"
    framers = ["https://shop.example", "https://www.shop.example"]
    assert policy(framers=framers)["frame-ancestors"] == "https://shop.example https://www.shop.example"


def test_a_form_is_sent_to_the_service_with_its_origin() -> None:
    """Red when a page with a form keeps `no-referrer`: browsers would send `Origin: null` with it."""
    assert policy()["form-action"] == "'none'"
    assert page("").headers["Referrer-Policy"] == "no-referrer"
    assert policy(has_form=True)["form-action"] == "'self'"
    assert page("", has_form=True).headers["Referrer-Policy"] == "same-origin"


def test_a_page_is_not_stored_and_may_use_no_device() -> None:
    response = page("text", status=404)
    assert (response.status, response.text, response.content_type) == (404, "text", "text/html")
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    for isolated in ("Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"):
        assert response.headers[isolated] == "same-origin"
    powers = response.headers["Permissions-Policy"].split(", ")
    assert {"camera=()", "geolocation=()", "clipboard-read=()"} <= set(powers)
    assert all(power.endswith("=()") for power in powers)
