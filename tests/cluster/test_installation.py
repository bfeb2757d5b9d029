"""What an installation is, and what people see of it."""

import pytest

from gyrus.imaging import encode_png
from gyrus.phantom import draw
from tests.cluster.installed import Installed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_helm_test_passes(served: Installed) -> None:
    served.helm("test", "gyrus")


def test_an_image_gets_its_heatmap(served: Installed) -> None:
    with served.api() as api:
        image = {"file": ("slice.png", encode_png(draw("glioma", seed=3)[0]))}
        answer = api.post("/v1/predictions?explain=true", files=image)
        assert answer.status_code == 201, answer.text
        heatmap = api.get(answer.json()["links"]["heatmap"])
        assert heatmap.headers["Content-Type"] == "image/png"
