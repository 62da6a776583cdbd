"""What is shipped for clusters and for developers: manifests, compose and the emulator's script, held against the code."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from salescience_pipeline.environment import notices
from salescience_pipeline.gateway.app import create_app
from salescience_pipeline.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
_EMULATOR = str(DEPLOY / "run_emulator.sh")
SECRETS = {name for name, field in Settings.model_fields.items() if field.annotation in (SecretStr, SecretStr | None)}


def _manifests() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text("utf-8"))
    files = [DEPLOY / name for name in kustomization["resources"]]
    assert sorted(files) == sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text("utf-8"))]


def _of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in _manifests() if found["kind"] == kind}


DEPLOYMENTS = _of_kind("Deployment")


def _container(name: str) -> dict[str, Any]:
    (container,) = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_002_24_every_deployment_is_bounded_probed_and_without_rights(name: str) -> None:
    pod, container = DEPLOYMENTS[name]["spec"]["template"]["spec"], _container(name)
    assert set(container["resources"]) == {"requests", "limits"}
    assert all({"cpu", "memory"} == set(bounds) for bounds in container["resources"].values())
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert {"startupProbe", "livenessProbe"} <= set(container)
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume and
              "configMap" not in volume]  # fmt: skip
    assert claims == list(_of_kind("PersistentVolumeClaim"))
    # The image's user and nobody else's.
    assert f"--uid {pod['securityContext']['runAsUser']} " in (DEPLOY / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_002_24_no_secret_stands_in_a_manifest_and_every_variable_means_something(name: str) -> None:
    container = _container(name)
    configured = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text("utf-8"))["configMapGenerator"]
    literals = dict(text.split("=", 1) for one in configured for text in one.get("literals", ()))
    written = literals | {one["name"]: one.get("value") for one in container.get("env", ())}
    assert not {f"SALESCIENCE_{secret.upper()}" for secret in SECRETS} & set(written)
    assert notices(written) == []
    assert {"configMapRef": {"name": "salescience"}} in container["envFrom"]
    assert {"secretRef": {"name": "salescience"}} in container["envFrom"]
    # Nobody is answered without a key.
    assert literals["SALESCIENCE_GATEWAY_AUTH"] == "api_key"


def test_002_24_probes_ask_for_routes_that_exist(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path))
    paths = set(app.openapi()["paths"])
    gateway = _container("gateway")
    (port,) = gateway["ports"]
    asked = {probe: gateway[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert all(one["port"] == port["name"] and one["path"] in paths for one in asked.values())
    # Alive is who answers; ready is who has its database: a database that is away must not restart the gateways.
    assert (asked["livenessProbe"]["path"], asked["readinessProbe"]["path"]) == ("/health", "/health/ready")
    assert gateway["args"][-1] == str(port["containerPort"])


def test_002_24_services_lead_to_pods_and_only_the_gateway_is_for_others() -> None:
    services = _of_kind("Service")
    for name, service in services.items():
        labels = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"] == labels == DEPLOYMENTS[name]["spec"]["selector"]["matchLabels"]
        ports = {port["name"] for port in _container(name)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        # Nothing is published: no node port, no load balancer of the cloud.
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    servers = yaml.safe_load((DEPLOY / "workspace.yaml").read_text("utf-8"))["load_from"]
    assert {one["grpc_server"]["host"] for one in servers} == set(services) - {"gateway", "webserver"}
    policies = _of_kind("NetworkPolicy")
    assert "ingress" not in policies["nobody"]["spec"]
    open_to_all = {name for name, policy in policies.items() if any("from" not in rule for rule in
                   policy["spec"].get("ingress", ()))}  # fmt: skip
    assert open_to_all == {"gateway"}
    assert {name: found["spec"]["replicas"] for name, found in DEPLOYMENTS.items()}["daemon"] == 1
    scaler = _of_kind("HorizontalPodAutoscaler")["gateway"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)


def test_002_19_compose_has_a_core_and_a_profile_for_kafka() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    core = {name for name, service in services.items() if "profiles" not in service}
    assert core == {"postgres", "acquisition", "marts", "daemon", "webserver", "gateway"}
    assert {name for name, service in services.items() if service.get("profiles") == ["kafka"]} == {"kafka", "intake"}
    kafka, intake = services["kafka"], services["intake"]
    assert "broker,controller" in kafka["environment"]["KAFKA_PROCESS_ROLES"]
    assert intake["environment"]["SALESCIENCE_KAFKA_SERVERS"] in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))
    assert all({"cpus", "memory"} == set(service["deploy"]["resources"]["limits"]) for service in services.values())
    for service in services.values():
        settings = [name for name in service.get("environment", ()) if name.startswith("SALESCIENCE_")]
        assert notices(settings) == []


def test_002_19_the_emulator_s_script_says_what_it_would_do() -> None:
    done = subprocess.run(["sh", _EMULATOR, "--kafka", "--dry-run"], capture_output=True, text=True, check=True)
    steps = [line for line in done.stdout.splitlines() if line.startswith("would run:")]
    assert len(steps) == 5
    assert "pull" in steps[0]
    assert "up --detach --wait kafka" in steps[1]
    assert steps[2].endswith("--create --if-not-exists --topic orchestrator-events")
    assert steps[3].endswith("--topic orchestrator-events.dlq")
    assert steps[4].endswith("sandbox --port 8790")
    refused = subprocess.run(["sh", _EMULATOR, "--zookeeper"], capture_output=True, text=True, check=False)
    assert (refused.returncode, "usage:" in refused.stderr) == (2, True)


@pytest.fixture
def without_docker(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has the shell's own tools and our command, and no docker."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "env"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    (tools / "salescience").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from salescience_pipeline.cli import main; main()" "$@"\n'
    )
    (tools / "salescience").chmod(0o755)
    return {**os.environ, "PATH": str(tools), "SALESCIENCE_HOME": str(tmp_path / "home")}


@pytest.fixture
def emulator(without_docker: dict[str, str]) -> Iterator[str]:
    """The script running, and where the sandbox is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(["sh", _EMULATOR, "--port", str(port)], env=without_docker, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_002_19_the_emulator_s_script_works_without_docker(without_docker: dict[str, str], emulator: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{emulator}/services/revenue/health").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    for service in ("revenue", "rebates", "specialty"):
        assert httpx.get(f"{emulator}/services/{service}/health").status_code == 200
    contact = {"User-Agent": "Acme ops@example.com"}
    assert httpx.get(f"{emulator}/edgar/files/company_tickers.json", headers=contact).json()
    with_kafka = subprocess.run(
        ["sh", _EMULATOR, "--kafka"], env=without_docker, capture_output=True, text=True, check=False
    )
    assert (with_kafka.returncode, "Kafka needs Docker" in with_kafka.stderr) == (1, True)
