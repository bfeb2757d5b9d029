"""Alerts fire when they should and are explained; they and dashboards ask for what is exported."""

import re
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontend_api.metrics import Metrics
from tests.monitoring import asked, panels
from tests.rendering import ROOT, chart, run

pytestmark = pytest.mark.helm

ALERTS = Path(__file__).with_name("alerts.yaml")


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    """The rules of a release, as Prometheus reads them."""
    [found] = [
        one for one in chart("--set", "monitoring.enabled=true") if one["kind"] == "PrometheusRule"
    ]
    spec: dict[str, Any] = found["spec"]
    return spec


def alerts_of(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_alerts_fire_when_they_should(rules: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(ALERTS, tmp_path)
    done = run("promtool", "test", "rules", str(tmp_path / ALERTS.name))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_unit_test_that_sees_it_fire(rules: dict[str, Any]) -> None:
    seen = {
        case["alertname"]
        for test in yaml.safe_load(ALERTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert seen == {one["alert"] for one in alerts_of(rules)}


def test_each_alert_links_to_its_entry_in_the_runbook(rules: dict[str, Any]) -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "RUNBOOK.md").read_text(), re.MULTILINE)
    assert headings == [one["alert"] for one in alerts_of(rules)]
    for one in alerts_of(rules):
        link = f"docs/RUNBOOK.md#{one['alert'].lower()}"
        assert one["annotations"]["runbook_url"] == link


def test_panels_are_queries_that_prometheus_can_read(tmp_path: Path) -> None:
    records = [
        {"record": "panel", "expr": query, "labels": {"of": name}} for name, query in panels()
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    done = run("promtool", "check", "rules", "--lint=none", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def gateway_samples() -> dict[str, set[str]]:
    """The labels of each metric of a gateway that has done something."""
    metrics = Metrics()
    metrics.request("GET", "/", 200, 0.1)
    metrics.prediction("uncertain")
    metrics.serve("classify", "200", 0.1)
    families = metrics.registry.collect()
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def exported() -> set[str]:
    """The names that the gateway, the replicas, Ray and Prometheus itself know.

    Whether pods export them, `tests/cluster/test_monitoring.py` says.
    """
    replica = (ROOT / "serve_app" / "replica.py").read_text()
    histograms = re.findall(r'Histogram\(\s*"(\w+)"', replica)
    assert histograms
    # Ray's own dashboards show them, in the version that is installed.
    boards = resources.files("ray") / "dashboard" / "modules" / "metrics" / "dashboards"
    texts = [one.read_text() for one in boards.iterdir() if one.name.endswith("_panels.py")]
    ray = {name for text in texts for name in re.findall(r"\bray_\w+(?=\{)", text)}
    return {*gateway_samples(), *ray, *(f"ray_{name}_bucket" for name in histograms), "up"}


def test_panels_and_alerts_ask_for_metrics_that_are_exported(rules: dict[str, Any]) -> None:
    known, labels = exported(), gateway_samples()
    queries = [*panels(), *((one["alert"], one["expr"]) for one in alerts_of(rules))]
    for name, query in queries:
        metrics = asked(query)
        assert metrics, name
        assert {metric for metric, _ in metrics} <= known, name
        for metric, used in metrics:
            if metric in labels:
                assert set(used) <= labels[metric] | {"namespace", "job"}, name
