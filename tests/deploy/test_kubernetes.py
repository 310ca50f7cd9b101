"""The manifests of deploy/kubernetes are valid, fit together, and their pods have no privileges.

Red when a key is misspelt, when a name in one manifest is not in the other, when a probe asks a port that the
configuration does not have, when a stop has less time than it takes, and when configuration or secrets are wrong.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from composing import DEPLOY

from service.config.review import check_complete
from service.config.settings import load

FOLDER: Final = DEPLOY / "kubernetes"
MANIFESTS: Final = sorted(FOLDER.glob("*.yaml"))
KUBERNETES: Final = "1.35"
LONGEST_STOP: Final = 10  # seconds; contract.md 7
NAMES: Final = {"app.kubernetes.io/name": "scanbind"}
PODS: Final = ("deployment", "migrate")
SECRETS: Final = {
    "database_url": "postgresql://scanbind:0123456789abcdef@postgres/scanbind",
    "redis_url": "redis://valkey:6379/0",
    "secret_key": "0" * 64,
    "main_secret": "5" * 32,
    "main_token": "atoken",
    "main_aes_key": "a" * 43,
    "shop_secret_hash": "sha256:" + "A" * 43,
}
each_pod = pytest.mark.parametrize("name", PODS)


def manifest(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8")))


def pod(name: str) -> dict[str, Any]:
    return dict(manifest(name)["spec"]["template"]["spec"])


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_what_kubernetes_allows(path: Path) -> None:
    kubernetes_validate.validate(yaml.safe_load(path.read_text("utf-8")), KUBERNETES, strict=True)


def test_a_mistake_in_a_manifest_would_be_seen() -> None:
    wrong = json.loads(json.dumps(manifest("deployment")).replace('"preStop"', '"prestop"'))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@each_pod
def test_a_pod_has_no_privileges_and_writes_in_the_data_folder_alone(name: str) -> None:
    [container] = pod(name)["containers"]
    assert pod(name)["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod(name)["automountServiceAccountToken"]
    assert not pod(name)["enableServiceLinks"]
    written = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert written == ["/var/lib/scanbind"]
    [user] = re.findall(r"^USER (\d+):", (DEPLOY.parent / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert pod(name)["securityContext"]["runAsUser"] == int(user)


@each_pod
def test_a_pod_has_the_image_of_this_version_and_the_same_volumes(name: str) -> None:
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    [container] = pod(name)["containers"]
    assert container["image"] == f"registry.example.com/scanbind:{version}"
    assert pod(name)["volumes"] == pod("deployment")["volumes"]


def test_all_select_the_pods_of_the_deployment() -> None:
    assert manifest("deployment")["spec"]["template"]["metadata"]["labels"] == NAMES
    assert manifest("deployment")["spec"]["selector"]["matchLabels"] == NAMES
    assert manifest("pod-disruption-budget")["spec"]["selector"]["matchLabels"] == NAMES
    assert manifest("service")["spec"]["selector"] == NAMES
    assert pod("deployment")["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == NAMES


def test_the_service_leads_to_the_public_port_and_not_to_the_internal_one() -> None:
    [container] = pod("deployment")["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    [port] = manifest("service")["spec"]["ports"]
    [rule] = manifest("ingress")["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert ports == {"http": 8080, "internal": 9090}
    assert port["targetPort"] == "http"
    assert path["backend"]["service"] == {"name": "scanbind", "port": {"name": port["name"]}}


def test_probes_ask_the_internal_port() -> None:
    [container] = pod("deployment")["containers"]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/livez", "port": "internal"},
        "liveness": {"path": "/livez", "port": "internal"},
        "readiness": {"path": "/readyz", "port": "internal"},
    }


def test_a_stop_has_the_time_that_it_takes_after_the_pod_left_the_service() -> None:
    [container] = pod("deployment")["containers"]
    [_, seconds] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert int(seconds) + LONGEST_STOP < pod("deployment")["terminationGracePeriodSeconds"]


def test_one_pod_at_least_runs_at_all_times() -> None:
    spec = manifest("deployment")["spec"]
    assert spec["replicas"] > manifest("pod-disruption-budget")["spec"]["minAvailable"] >= 1
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_configuration_is_valid_with_its_secrets(tmp_path: Path) -> None:
    text = manifest("configuration")["data"]["config.yaml"]
    (tmp_path / "config.yaml").write_text(text.replace("/run/secrets/scanbind", str(tmp_path)), "utf-8")
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(f"{secret}\n")
    settings = load(tmp_path / "config.yaml", {})
    check_complete(settings)
    [host] = manifest("ingress")["spec"]["tls"][0]["hosts"]
    assert settings.server.public_url == f"https://{host}"
    assert settings.server.internal == "0.0.0.0:9090"


def test_the_example_has_each_secret_that_the_configuration_names() -> None:
    named = re.findall(r"/run/secrets/scanbind/(\w+)", manifest("configuration")["data"]["config.yaml"])
    assert sorted(named) == sorted(SECRETS) == sorted(manifest("secret.example")["stringData"])
