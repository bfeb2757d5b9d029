"""What the chart's dashboards and alerts ask Prometheus for."""

import json
import re

from tests.rendering import CHART

MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))


def panels(dashboard: str = "") -> list[tuple[str, str]]:
    """Title and query of all panels, or of those of one dashboard."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        if path.stem.startswith(dashboard)
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]


def asked(query: str) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """Each metric of a query, with the operator and the value that its labels are compared by."""
    return [
        (metric, {name: (how, value) for name, how, value in MATCHER.findall(selector)})
        for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", query)
    ]
