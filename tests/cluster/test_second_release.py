"""A second release beside the first, from its installation to what it leaves."""

import pytest

from gyrus.imaging import encode_png
from gyrus.phantom import draw
from tests.cluster.installed import Cluster, Installed, until
from tests.rendering import CHART

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "gyrus-second"

LEFT = {
    "persistentvolumeclaim/data-gyrus-mariadb-0",
    "persistentvolumeclaim/gyrus-mlflow",
    "pod/gyrus-test",
    "secret/gyrus-auth",
    "secret/gyrus-keys",
    "secret/gyrus-mariadb",
}
"""The secrets, the claims and the pod of the last test: what the chart's notes say."""


def test_a_second_release_works_beside_the_first_and_leaves_what_the_notes_say(
    served: Installed, cluster: Cluster
) -> None:
    small = ("-f", str(CHART / "ci" / "small-values.yaml"), "--set", "serving.redis.address=")
    with cluster.namespace(NAMESPACE):
        with Installed.install(cluster, NAMESPACE, *small) as second:
            second.helm("test", "gyrus")
            image = {"file": ("slice.png", encode_png(draw("glioma", seed=3)[0]))}
            with second.api() as api, served.api() as first:
                fresh = api.post("/v1/predictions", files=image)
                assert fresh.status_code == 503
                assert fresh.json()["type"].endswith("no-model")
                assert first.post("/v1/predictions", files=image).status_code == 201
        until(lambda: remains(second) == LEFT, 180, lambda: remains(second))
        training = ("get", "all,secret,pvc,role", "-n", f"{NAMESPACE}-training", "-o", "name")
        assert cluster.kubectl(*training).split() == ["persistentvolumeclaim/gyrus-data"]


def remains(gyrus: Installed) -> set[str]:
    """What is in the release's namespace, but for what Kubernetes puts into every one."""
    kinds = "all,secret,pvc,configmap,role,rolebinding,rayservice,raycluster"
    found = gyrus.kubectl("get", kinds, "-o", "name").split()
    return set(found) - {"configmap/kube-root-ca.crt"}
