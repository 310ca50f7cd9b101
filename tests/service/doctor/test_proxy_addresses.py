"""Which addresses a proxy reports, from what the service saw.

Red when a chain of proxies is judged wrongly of which one is not trusted.
"""

import pytest

from service.doctor.probe import Sight
from service.doctor.prober import SPOOFED
from service.doctor.proxy_addresses import address_findings

NGINX, CDN, DOCTOR = "10.0.0.1", "198.51.100.5", "203.0.113.9"


def told(chain: list[str], *, address: str, trusted: bool = True, others: tuple[str, ...] = ()) -> list[str]:
    sight = Sight(
        version="1",
        at=0,
        segment="plain",
        peer=NGINX,
        port=1,
        trusted=trusted,
        chain=chain,
        header="X-Forwarded-For",
        others=list(others),
        address=address,
        https=True,
        received=[],
        open_files=1,
    )
    return [one.message for one in address_findings(sight)]


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ([DOCTOR, SPOOFED], DOCTOR),
        ([DOCTOR], DOCTOR),
        ([CDN, DOCTOR, SPOOFED], DOCTOR),
        ([CDN, DOCTOR], DOCTOR),
        ([NGINX, SPOOFED], SPOOFED),
    ],
    ids=["appended", "replaced", "two proxies", "two that replace", "the doctor is beside the proxy"],
)
def test_a_chain_that_is_trusted_is_good(chain: list[str], address: str) -> None:
    assert told(chain, address=address) == []


@pytest.mark.parametrize(
    ("chain", "address", "trusted", "message"),
    [
        ([DOCTOR, SPOOFED], NGINX, False, f"the proxy at {NGINX} is not listed"),
        ([CDN, DOCTOR, SPOOFED], CDN, True, f"the proxy at {CDN} is not listed"),
        (["unknown", SPOOFED], NGINX, True, "writes an address into X-Forwarded-For that cannot be read"),
        ([SPOOFED], SPOOFED, True, f"the proxy at {NGINX} lets clients write X-Forwarded-For"),
        ([SPOOFED], NGINX, False, f"requests come from {NGINX}; if that is a proxy"),
        ([], NGINX, True, f"the proxy at {NGINX} does not say where requests come from"),
    ],
    ids=["untrusted", "second untrusted", "unreadable", "not appended", "perhaps no proxy", "removed"],
)
def test_a_chain_that_hides_visitors_is_found(
    chain: list[str], address: str, *, trusted: bool, message: str
) -> None:
    [found] = told(chain, address=address, trusted=trusted)
    assert message in found


def test_a_header_that_is_not_read_is_named() -> None:
    [found] = told([], address=NGINX, others=("Forwarded",))
    assert f"the proxy at {NGINX} writes Forwarded, which is not read" in found
