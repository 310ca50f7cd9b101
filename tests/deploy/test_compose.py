"""deploy/compose.yaml is valid Compose, and gives each container what it needs and no more.

Red when a key is misspelt, when a network or secret is missing, when a store or the service is published or can be
reached from outside, when Caddy's network and the trusted proxies differ, and when the service starts before the
database has its tables.
"""

import json
import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from compose_spec import PyCompose
from composing import DEPLOY, compose, compose_text, env_example

from service.config.review import check_complete
from service.config.settings import Settings, load

OURS: Final = {"migrate", "scanbind"}
SECRETS: Final = {
    "database_url": "postgresql://scanbind:0123456789abcdef@postgres/scanbind",
    "secret_key": "0" * 64,
    "main_secret": "5" * 32,
    "main_token": "atoken",
    "main_aes_key": "a" * 43,
    "shop_secret_hash": "sha256:" + "A" * 43,
}
caddy = pytest.mark.skipif(not shutil.which("caddy"), reason="needs caddy, which is not on this machine")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def parse(text: str) -> None:
    PyCompose.from_json(json.dumps(yaml.safe_load(text))).validate()  # PyYAML merges what `<<` names


def test_it_is_what_the_specification_allows() -> None:
    parse(compose_text())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restart: unless-stopped", "restarts: unless-stopped"),
        ("condition: service_healthy", "condition: service_is_healthy"),
        ("networks: [stores]", "networks: [store]"),
        ("secrets: [postgres_password]", "secrets: [password]"),
        ("stop_grace_period: 15s", "stop_grace_period: 15 seconds"),
    ],
    ids=["key", "condition", "network", "secret", "duration"],
)
def test_a_mistake_in_it_would_be_seen(right: str, wrong: str) -> None:
    text = compose_text()
    assert right in text
    with pytest.raises(ValueError, match=r"."):
        parse(text.replace(right, wrong, 1))


def test_every_variable_has_an_example_and_every_example_is_used() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert used == env_example().keys()


def test_only_caddy_is_published(services: dict[str, Any]) -> None:
    assert [name for name, one in services.items() if "ports" in one] == ["caddy"]
    assert not [name for name, one in services.items() if one.get("network_mode")]


def test_only_caddy_and_the_service_reach_addresses_outside(services: dict[str, Any]) -> None:
    outside = {name for name, network in compose()["networks"].items() if not (network or {}).get("internal")}
    reaching = {name: outside & set(one["networks"]) for name, one in services.items()}
    assert {name: on for name, on in reaching.items() if on} == {"caddy": {"edge"}, "scanbind": {"outgoing"}}
    assert outside == {"edge", "outgoing"}


def test_caddy_reaches_the_service_on_one_network_alone_whose_addresses_are_trusted(
    services: dict[str, Any],
) -> None:
    [shared] = set(services["caddy"]["networks"]) & set(services["scanbind"]["networks"])
    [config] = compose()["networks"][shared]["ipam"]["config"]
    trusted = services["scanbind"]["environment"]["SCANBIND_SERVER__TRUSTED_PROXIES"]
    assert ip_network(config["subnet"]) == ip_network(trusted)
    assert ip_network(trusted).is_private


@pytest.mark.parametrize("name", compose()["services"])
def test_a_container_has_no_privileges_and_a_read_only_root(name: str, services: dict[str, Any]) -> None:
    one = services[name]
    assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert not one.get("privileged")


@pytest.mark.parametrize("name", sorted(compose()["services"].keys() - {"migrate"}))
def test_a_service_starts_again_and_says_whether_it_works(name: str, services: dict[str, Any]) -> None:
    assert services[name]["restart"] == "unless-stopped"
    assert name == "scanbind" or "healthcheck" in services[name]  # that of scanbind is in its image


def test_the_service_starts_once_the_tables_are_there(services: dict[str, Any]) -> None:
    migrate, ours = services["migrate"], services["scanbind"]
    assert (migrate["command"], migrate["restart"]) == (["migrate"], "no")
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert ours["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert ours["depends_on"]["valkey"] == {"condition": "service_healthy"}
    assert ours["stop_grace_period"] == "15s"


def test_valkey_keeps_what_it_has_and_evicts_nothing(services: dict[str, Any]) -> None:
    [program, *options] = services["valkey"]["command"]
    told = dict(zip(options[::2], options[1::2], strict=True))
    assert program == "valkey-server"
    assert (told["--appendonly"], told["--maxmemory-policy"]) == ("yes", "noeviction")
    assert services["valkey"]["volumes"] == ["valkey:/data"]


def test_images_of_others_are_pinned_to_a_minor_version(services: dict[str, Any]) -> None:
    images = {one["image"] for name, one in services.items() if name not in OURS}
    assert [image for image in images if not re.search(r":\d+\.\d+(-\w+)?$", image)] == []


def test_the_configuration_is_mounted_where_the_image_reads_it_and_cannot_be_written(
    services: dict[str, Any],
) -> None:
    assert services["scanbind"]["volumes"] == ["./config:/etc/scanbind:ro"]
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text("utf-8")
    assert "WORKDIR /etc/scanbind\n" in dockerfile
    [user] = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert "/var/lib/scanbind:uid={},gid={},mode=0700".format(*user) in services["scanbind"]["tmpfs"]


@caddy
def test_caddy_takes_the_domain_and_passes_all_on_to_the_service() -> None:
    adapt = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **env_example()}
    done = subprocess.run(adapt, env=environ, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)["apps"]["http"]["servers"]["srv0"]
    assert told["listen"] == [":443"]
    assert told["routes"][0]["match"] == [{"host": [env_example()["SCANBIND_DOMAIN"]]}]
    assert re.findall(r'"dial": ?"([^"]+)"', done.stdout) == ["scanbind:8080"]


def test_the_example_configuration_is_valid_with_its_secrets(tmp_path: Path) -> None:
    settings = configured(tmp_path)
    assert settings.server.public_url == f"https://{env_example()['SCANBIND_DOMAIN']}"
    assert [str(one) for one in settings.server.trusted_proxies] == [env_example()["SCANBIND_SUBNET"]]
    assert (settings.database.url.partition("@")[2], settings.redis.url) == (
        "postgres/scanbind",
        "redis://valkey:6379/0",
    )


def configured(folder: Path) -> Settings:
    """Load the example as the container does, with the folder of the configuration at *folder*."""
    (folder / "secrets").mkdir()
    for name, secret in SECRETS.items():
        (folder / "secrets" / name).write_text(f"{secret}\n")
    example = (DEPLOY / "config" / "config.example.yaml").read_text("utf-8")
    (folder / "config.yaml").write_text(example.replace("/etc/scanbind", str(folder)), "utf-8")
    environment = compose()["services"]["scanbind"]["environment"]
    settings = load(folder / "config.yaml", environment)
    check_complete(settings)
    return settings
