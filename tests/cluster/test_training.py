"""A training from the API: it loses one of its pods, goes on, and its model is served."""

import json

import cv2
import numpy as np
import pytest
import yaml

from gyrus.imaging import encode_png
from gyrus.phantom import draw
from tests.cluster.installed import Installed
from tests.cluster.metrics import missing, samples
from tests.events import follow
from tests.rendering import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

DATASET = "drawn"
URL = "/v1/training-jobs"
RAY = "ray.io/node-type,app.kubernetes.io/component=training"
WORKERS = "ray.io/node-type=worker,app.kubernetes.io/component=training"


@pytest.fixture(scope="module")
def dataset(served: Installed) -> str:
    """A small dataset on the claim of training, drawn by the job of `k8s/`."""
    job = yaml.safe_load((ROOT / "k8s" / "dataset.yaml").read_text())
    namespace = f"{served.namespace}-training"
    job["metadata"]["namespace"] = namespace
    [container] = job["spec"]["template"]["spec"]["containers"]
    container["image"] = "gyrus-train:dev"
    container["imagePullPolicy"] = "IfNotPresent"
    container["resources"] = {"requests": {"cpu": "50m"}}
    container["args"] = ["gyrus", "data", "generate", "--name", DATASET, "--patients", "60"]
    served.cluster.kubectl("apply", "-f", "-", given=json.dumps(job))
    finished = ("--for=condition=Complete", "--timeout=5m", "job/gyrus-dataset")
    served.cluster.kubectl("-n", namespace, "wait", *finished)
    return DATASET


def test_a_run_survives_a_worker_and_its_model_is_served(served: Installed, dataset: str) -> None:
    asked = {
        "run": "lost-worker",
        "dataset": dataset,
        "model": "mobilenetv2",
        "alpha": 0.35,
        "epochs": 3,
        "batch": 8,
        "workers": 2,
    }
    namespace = f"{served.namespace}-training"
    with served.api() as api:
        started = api.post(URL, json=asked)
        assert started.status_code == 201, started.text
        events = []
        for event in follow(api, "lost-worker"):
            events.append(event)
            if event["kind"] == "checkpoint" and event["epoch"] == 1:
                assert len(served.pods(WORKERS, namespace=namespace)) == 2
                exported = samples(served, RAY, 8080, namespace=namespace)
                assert missing("training", exported) == []
                served.delete_pod(WORKERS, namespace=namespace, force=True)
        kinds = [one["kind"] for one in events]
        assert kinds[-2:] == ["evaluation", "done"], events[-1]
        assert "restart" in kinds
        epochs = [one["epoch"] for one in events if one["kind"] == "epoch"]
        assert epochs == sorted(epochs), "an epoch was trained again from the beginning"
        assert epochs[-1] == 3
        job = api.get(f"{URL}/lost-worker").json()
        assert job["state"] == "succeeded"
        plot = api.get(f"{URL}/lost-worker/plots/curves.png").content
        assert cv2.imdecode(np.frombuffer(plot, np.uint8), cv2.IMREAD_COLOR).std() > 10
        api.post(f"/v1/models/{job['version']}/promote").raise_for_status()
        image = {"file": ("slice.png", encode_png(draw("glioma", seed=3)[0]))}
        answer = api.post("/v1/predictions", files=image).json()
        assert answer["model"]["version"] == job["version"]
        assert answer["model"]["architecture"] == "mobilenetv2"
        api.post("/v1/models/rollback").raise_for_status()
