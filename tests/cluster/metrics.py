"""The metrics that pods export, and what dashboards miss of them."""

import re
from collections import defaultdict
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.installed import Installed, until
from tests.monitoring import asked, panels

ADDED = {"namespace", "component", "job"}
"""Labels that Prometheus adds when it reads a pod."""

COMPARED: dict[str, Callable[[str, str], bool]] = {
    "=": lambda wanted, value: value == wanted,
    "!=": lambda wanted, value: value != wanted,
    "=~": lambda wanted, value: re.fullmatch(wanted, value) is not None,
    "!~": lambda wanted, value: re.fullmatch(wanted, value) is None,
}
"""How Prometheus compares a label's value."""

RARE = {
    "ray_memory_manager_worker_eviction_total",
    "ray_node_gpus_utilization",
    "ray_node_gram_used",
    "ray_node_manager_unexpected_worker_failure_total",
}
"""What Ray exports once it has happened, or where there are GPUs."""

FAILURES = "5.."
"""Of a status, values that are there only once something has failed."""


def samples(
    gyrus: Installed, selector: str, port: int, *, namespace: str = ""
) -> dict[str, list[dict[str, str]]]:
    """The labels of all samples of each metric that pods export.

    A pod of Ray is ready before its agent exports what it measures.
    """
    found = defaultdict(list)
    url = f"http://localhost:{port}/metrics"
    read = f"from urllib.request import urlopen; print(urlopen('{url}').read().decode())"
    for pod in gyrus.pods(selector, namespace=namespace):
        where = ("-n", namespace or gyrus.namespace, "exec", pod["metadata"]["name"])
        command = (*where, "--", "python", "-c", read)
        until(lambda: gyrus.cluster.kubectl(*command, check=False) != "", 120)  # noqa: B023
        text = gyrus.cluster.kubectl(*command)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name].append(sample.labels)
    return found


def missing(dashboard: str, exported: dict[str, list[dict[str, str]]]) -> list[str]:
    """The panels of which a metric is not there, or has not the labels or values that are asked."""
    return [
        f"{title}: {metric}"
        for title, query in panels(dashboard)
        for metric, labels in asked(query)
        if metric not in RARE and not any(fits(labels, one) for one in exported.get(metric, []))
    ]


def fits(asked_for: dict[str, tuple[str, str]], labels: dict[str, str]) -> bool:
    """Whether a sample has the labels, and values as they are asked for; `$` is the viewer's."""
    return all(
        name in labels and ("$" in value or value == FAILURES or COMPARED[how](value, labels[name]))
        for name, (how, value) in asked_for.items()
        if name not in ADDED
    )
