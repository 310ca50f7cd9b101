"""The proxy for calls to WeChat's API: the one that is set for the account, else that of HTTPS_PROXY."""

import re
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not know it

from pydantic import AfterValidator, ValidationInfo
from yarl import URL

from models.ip_address import parsed_address
from service.config.addresses import is_loopback
from service.config.fault import Fault

_VISIBLE: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[a-z0-9._-]+")
_FORM: Final = (
    "must be the address of a proxy, such as http://user:password@proxy.example:3128; "
    "percent-encode special characters in user and password"
)


def _proxy_url(value: str) -> str:
    if value and not _is_proxy(value):
        raise Fault(_FORM)
    return value


ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]


def proxy_of_environment(info: ValidationInfo, address: str) -> str:
    """Return the proxy that HTTPS_PROXY and NO_PROXY name for *address*, in either case; an empty string for none.

    The environment is that of the validation's context. Only https to another machine goes through the proxy.
    Raises Fault if HTTPS_PROXY is malformed.
    """
    environ = (info.context or {}).get("environ", {})
    url, proxy = URL(address), _variable(environ, "https_proxy")
    if not proxy or url.scheme != "https" or is_loopback(url.host or ""):
        return ""
    if proxy_bypass_environment(f"{url.host}:{url.port}", {"no": _variable(environ, "no_proxy")}):
        return ""
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(proxy):
        raise Fault(f"HTTPS_PROXY {_FORM}; or name WeChat's host in NO_PROXY")
    return proxy


def _is_proxy(value: str) -> bool:
    try:
        url = URL(value)
        credentials = (url.user or "").encode("latin-1"), (url.password or "").encode("latin-1")
    except ValueError:
        return False
    # Basic authentication ends the user at the first colon (RFC 7617); aiohttp writes it in Latin-1.
    return bool(
        _VISIBLE.fullmatch(value)
        and url.scheme in ("http", "https")
        and _is_host(url.host or "")
        and url.port
        and url.path in ("", "/")
        and not (url.query_string or url.fragment or b":" in credentials[0])
    )


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, environ.get(name.upper(), "")).strip()


def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None or parsed_address(host) is not None
