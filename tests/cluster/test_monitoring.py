"""Dashboards ask for what the running system exports; for training see `test_training`."""

import pytest

from gyrus.imaging import encode_png
from gyrus.phantom import draw
from tests.cluster.installed import Installed
from tests.cluster.metrics import missing, samples

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_panels_of_what_serves_ask_for_what_is_exported(served: Installed) -> None:
    with served.api() as api:
        image = {"file": ("slice.png", encode_png(draw("glioma", seed=3)[0]))}
        api.post("/v1/predictions?explain=true", files=image).raise_for_status()
    gateway = samples(served, "app.kubernetes.io/component=gateway", 9090)
    assert missing("gateway", gateway) == []
    ray = samples(served, "ray.io/node-type,app.kubernetes.io/component=serving", 8080)
    assert missing("serving", ray) + missing("ray", ray) == []
