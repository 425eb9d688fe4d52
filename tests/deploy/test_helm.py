"""The chart: rendered by Helm's own code for several sets of values, each object checked by Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from akto_proxy.config.settings import load
from deploy.settings import DEPLOY, SETTINGS

helm = pytest.importorskip("helm_python")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

CHART = DEPLOY / "helm" / "akto-agent-proxy"
URL = "https://abc.us-east-1.aws.endpoints.huggingface.cloud"
BASE = {"appUrl": URL, "secret": "akto-proxy"}
PEER = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
VALUES: dict[str, dict[str, Any]] = {
    "least": BASE,
    "alone": {"appUrl": URL, "replicas": 1, "server": {"enabled": False}},
    "sidecar": {**BASE, "mode": "sidecar", "agent": {"image": "agent:1", "env": [{"name": "A", "value": "b"}]}},
    "all": {
        **BASE,
        "connectTo": "vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com",
        "policy": "version: 1\npolicies: []\n",
        "settings": {"PACKS": "hipaa,pii-us", "TOUR": False},
        "spool": {"persistent": True, "storageClass": "gp3"},
        "autoscaling": {"enabled": True},
        "monitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "network": {"prometheus": PEER, "extraEgress": [{"to": PEER, "ports": [{"protocol": "TCP", "port": 6379}]}]},
        "server": {"settings": {"RETENTION_DAYS": 90}},
        "image": {"repository": "r/x", "digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "pull"}]},
        "serviceAccount": "akto",
    },
}


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values=values, name="akto", namespace="llm")
    objects = [made for name, text in files.items() if name.endswith(".yaml") for made in yaml.safe_load_all(text)]
    return [made for made in objects if made]


def one(objects: list[dict[str, Any]], kind: str, name: str = "akto") -> dict[str, Any]:
    return next(made for made in objects if made["kind"] == kind and made["metadata"]["name"] == name)


def pod(objects: list[dict[str, Any]], kind: str = "Deployment") -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, kind)["spec"]["template"]["spec"]
    return spec


def environ(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"]}


@pytest.mark.parametrize("version", ["1.29", "1.33"])
@pytest.mark.parametrize("name", VALUES)
def test_every_object_is_one_that_kubernetes_takes(name: str, version: str):
    for made in render(VALUES[name]):
        if made["apiVersion"].startswith("monitoring.coreos.com/"):
            continue  # a custom resource: test_prometheus_is_told_where_to_look
        kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.parametrize("name", VALUES)
def test_helms_linter_finds_nothing(name: str):
    report = helm.chart.lint(str(CHART), VALUES[name], strict=True)
    worse = [item for item in report["messages"] if item["severity"] > 1]  # 1: "icon is recommended"
    assert (worse, report["errors"]) == ([], [])


@pytest.mark.parametrize("name", VALUES)
def test_selectors_meet_pods_and_services_meet_ports(name: str):
    objects = render(VALUES[name])
    workloads = [made for made in objects if made["kind"] in ("Deployment", "StatefulSet")]
    labels = [made["spec"]["template"]["metadata"]["labels"] for made in workloads]
    for made in workloads:
        assert made["spec"]["selector"]["matchLabels"].items() <= made["spec"]["template"]["metadata"]["labels"].items()
    for service in (made for made in objects if made["kind"] == "Service"):
        (chosen,) = [n for n, label in enumerate(labels) if service["spec"]["selector"].items() <= label.items()]
        spec = workloads[chosen]["spec"]["template"]["spec"]
        containers = [*spec["containers"], *spec.get("initContainers", [])]
        ports = {port["name"] for container in containers for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for policy in (made for made in objects if made["kind"] in ("NetworkPolicy", "PodDisruptionBudget")):
        selector = policy["spec"].get("podSelector") or policy["spec"]["selector"]
        assert any(selector["matchLabels"].items() <= label.items() for label in labels)


@pytest.mark.parametrize("name", VALUES)
def test_every_variable_of_ours_is_a_setting(name: str):
    for made in render(VALUES[name]):
        spec = made.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
            if container["name"] == "agent":
                continue
            assert set(environ(container)) <= SETTINGS
            load(environ(container))


@pytest.mark.parametrize("name", VALUES)
def test_every_pod_of_ours_may_do_little(name: str):
    for made in render(VALUES[name]):
        spec = made.get("spec", {}).get("template", {}).get("spec")
        if spec is None:
            continue
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["name"] == "agent" or security["readOnlyRootFilesystem"] is True


def test_alone_before_an_endpoint():
    objects = render(BASE)
    container = pod(objects)["containers"][0]
    told = environ(container)
    assert (told["APP_URL"], told["AKTO_API_BASE_URL"]) == (URL, "http://akto-server:8090")
    assert container["envFrom"] == [{"secretRef": {"name": "akto-proxy"}}]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert pod(objects)["terminationGracePeriodSeconds"] > float(told["DRAIN_TIMEOUT"]) + 5 + 10


def test_beside_an_agent_it_listens_on_loopback_only():
    objects = render(VALUES["sidecar"])
    spec = pod(objects)
    (sidecar,) = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert load(environ(sidecar)).listen_host == "127.0.0.1"
    assert {item["port"] for item in one(objects, "Service")["spec"]["ports"]} == {8000, 9090}
    (agent,) = spec["containers"]
    assert environ(agent) == {
        "OPENAI_BASE_URL": "http://127.0.0.1:8080/v1",
        "HF_ENDPOINT_URL": "http://127.0.0.1:8080",
        "A": "b",
    }
    probes = [sidecar["startupProbe"], sidecar["livenessProbe"]]
    assert {probe["httpGet"]["port"] for probe in probes} == {"metrics"}  # the kubelet cannot ask loopback


def test_scaling_follows_streams():
    scaler = one(render(VALUES["all"]), "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["kind"] == "StatefulSet"
    metric = scaler["metrics"][0]["pods"]
    assert metric["metric"]["name"] == "akto_proxy_active_streams"
    assert metric["target"]["averageValue"] == "200"


def test_the_metric_that_scaling_follows_is_one_that_the_program_has():
    from akto_proxy.proxy.metrics import METRICS

    assert METRICS["akto_proxy_active_streams"].kind == "gauge"


def test_prometheus_is_told_where_to_look():
    objects = render(VALUES["all"])
    monitor = one(objects, "ServiceMonitor")
    assert set(monitor["spec"]) == {"selector", "endpoints"}
    (place,) = monitor["spec"]["endpoints"]
    assert place["port"] in {port["name"] for port in one(objects, "Service")["spec"]["ports"]}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= one(objects, "Service")["metadata"]["labels"].items()


def test_only_named_ways_are_open():
    policy = one(render(VALUES["all"]), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ways = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ways == {53, 443, 8090, 6379}
    assert all(rule.get("to") for rule in policy["egress"] if {53} != {port["port"] for port in rule["ports"]})


def test_a_policy_is_a_file_and_a_change_restarts_the_pods():
    first, second = (pod_annotations({**BASE, "policy": text}) for text in ("version: 1\n", "version: 2\n"))
    assert first != second
    assert environ(pod(render({**BASE, "policy": "version: 1\n"}))["containers"][0])["POLICY_FILE"]


def pod_annotations(values: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = one(render(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    return found


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "appUrl"),
        ({"appUrl": "abc.huggingface.cloud", "secret": "x"}, "appUrl"),
        ({"appUrl": URL}, "DEPLOYMENT_KEY"),
        ({**BASE, "mode": "sidecar"}, "agent.image"),
        ({**BASE, "mode": "both"}, "mode"),
        ({**BASE, "settings": {"UPSTREAM_TOKEN": "hf_x"}}, "UPSTREAM_TOKEN"),
        ({**BASE, "appurl": URL}, "appurl"),
    ],
)
def test_what_must_fail_fails_with_a_word_that_helps(values: dict[str, Any], words: str):
    with pytest.raises(helm.HelmError, match=words):
        render(values)
