import json
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import yaml

from gyrus.cli import app
from tests.policies import pods

pytestmark = pytest.mark.helm

HELM = Path(__file__).parents[2] / "helm"
CHART = HELM / "gyrus"


@pytest.fixture(scope="module")
def document() -> Any:
    """The module that documents the chart; it is a script, in no package."""
    spec = util.spec_from_file_location("document", HELM / "document.py")
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    sys.modules["document"] = module
    spec.loader.exec_module(module)
    return module


def test_schema_and_readme_are_made_of_the_values(document: Any) -> None:
    values = document.read(CHART)
    assert json.loads((CHART / "values.schema.json").read_text()) == document.schema(values)
    readme = (CHART / "README.md").read_text()
    assert readme == document.readme(readme, values), "run `make chart`"


def test_a_key_without_a_comment_is_noticed(document: Any, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# -- Known.\na: 1\nb: 2\n")
    with pytest.raises(ValueError, match="b has no comment"):
        document.read(tmp_path)


def test_each_scenario_is_free_of_faults(lint: Callable[..., str], scenario: list[str]) -> None:
    assert "0 chart(s) failed" in lint(*scenario)


def test_each_object_has_a_name_of_its_own(objects: list[dict[str, Any]]) -> None:
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("switch", "kinds"),
    [
        ("gateway.autoscaling.enabled", {"HorizontalPodAutoscaler"}),
        ("networkPolicy.enabled", {"NetworkPolicy"}),
        ("monitoring.enabled", {"ServiceMonitor", "PodMonitor", "PrometheusRule"}),
        ("priorityClasses.create", {"PriorityClass"}),
        ("training.enabled", {"RayJob", "Namespace"}),
    ],
)
def test_a_switch_makes_its_objects_or_none(
    render: Callable[..., list[dict[str, Any]]], switch: str, kinds: set[str]
) -> None:
    on = {one["kind"] for one in render("--set", f"{switch}=true")}
    off = {one["kind"] for one in render("--set", f"{switch}=false")}
    assert kinds <= on
    assert not kinds & off


def test_what_is_one_pod_only_can_be_drained(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    def budgets(*arguments: str) -> set[str]:
        found = [one for one in render(*arguments) if one["kind"] == "PodDisruptionBudget"]
        return {one["metadata"]["name"] for one in found}

    assert budgets() == {"gyrus-gateway", "gyrus-serving"}
    one_worker = "serving.workers.minReplicas=1,serving.workers.cpus=2"
    assert budgets("--set", one_worker) == {"gyrus-gateway"}
    assert budgets("--set", "gateway.podDisruptionBudget.enabled=false") == {"gyrus-serving"}


def test_an_autoscaled_gateway_names_no_number_of_pods(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    for on in ("true", "false"):
        objects = render("--set", f"gateway.autoscaling.enabled={on}")
        [gateway] = [
            one
            for one in objects
            if one["kind"] == "Deployment" and one["metadata"]["name"] == "gyrus-gateway"
        ]
        assert ("replicas" in gateway["spec"]) == (on == "false")


def test_at_an_upgrade_the_migration_is_a_hook(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    for arguments, hook in (([], None), (["--is-upgrade"], "pre-upgrade")):
        [job] = [one for one in render(*arguments) if one["kind"] == "Job"]
        assert job["metadata"]["annotations"].get("helm.sh/hook") == hook


def test_a_job_of_each_revision_trains_the_first_model_and_helm_does_not_wait_for_it(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    def jobs(*arguments: str) -> list[dict[str, Any]]:
        found = [one for one in render(*arguments) if one["kind"] == "Job"]
        return [one for one in found if one["metadata"].get("namespace") == "gyrus-training"]

    assert jobs() == []
    own = "bootstrap.enabled=true,bootstrap.deadlineSeconds=99,training.persistence.existingClaim=x"
    [job] = jobs("--set", own, "--set", "bootstrap.resources.limits.memory=9Gi")
    assert job["metadata"]["name"] == "gyrus-bootstrap-1"
    assert not [key for key in job["metadata"]["annotations"] if key.startswith("helm.sh/hook")]
    assert job["spec"]["activeDeadlineSeconds"] == 99
    pod = job["spec"]["template"]["spec"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "x"}} in pod["volumes"]
    [container] = pod["containers"]
    assert container["resources"]["limits"]["memory"] == "9Gi"
    assert container["image"].startswith("gyrus-train:")
    program, command = container["args"]
    assert program == "gyrus"
    assert command in {one.name for one in app.registered_commands}
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["GYRUS_HOME"] == "/data"
    assert environment["GYRUS_TRACKING_URI"] == "http://gyrus-mlflow.gyrus.svc:5000"
    assert "secret" not in json.dumps(pod)


def test_the_serve_configuration_names_no_model(
    render: Callable[..., list[dict[str, Any]]],
) -> None:
    [service] = [one for one in render() if one["kind"] == "RayService"]
    config = yaml.safe_load(service["spec"]["serveConfigV2"])
    assert {one["import_path"] for one in config["applications"]} == {
        "serve_app.app:classify",
        "serve_app.app:explain",
    }
    assert "user_config" not in service["spec"]["serveConfigV2"]


def test_a_worker_with_gpus_asks_for_them(render: Callable[..., list[dict[str, Any]]]) -> None:
    [job] = [one for one in render("--set", "training.workers.gpus=2") if one["kind"] == "RayJob"]
    [workers] = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    [container] = workers["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "6Gi", "nvidia.com/gpu": 2}


def test_data_at_an_address_needs_no_volume(render: Callable[..., list[dict[str, Any]]]) -> None:
    given = {
        "destination": "s3://bucket/gyrus",
        "s3Endpoint": "https://s3.example.com",
        "existingSecret": "bucket-keys",
        "serviceAccount": "bucket-user",
    }
    sets = [
        word for key, value in given.items() for word in ("--set", f"training.data.{key}={value}")
    ]
    objects = render(*sets)
    claims = [one for one in objects if one["kind"] == "PersistentVolumeClaim"]
    assert all(one["metadata"].get("namespace") != "gyrus-training" for one in claims)
    [job] = [one for one in objects if one["kind"] == "RayJob"]
    submitter, *others = [spec for _, _, spec in pods([job])]
    assert "bucket" not in str(submitter)
    assert len(others) == 2
    for spec in others:
        assert spec["serviceAccountName"] == "bucket-user"
        assert {"name": "data", "emptyDir": {}} in spec["volumes"]
        [container] = spec["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "bucket-keys"}}]
        endpoint = {"name": "AWS_ENDPOINT_URL_S3", "value": "https://s3.example.com"}
        assert endpoint in container["env"]
    for arguments, data in (([], "/data"), (sets, "s3://bucket/gyrus")):
        [gateway] = [
            one
            for one in render(*arguments)
            if one["kind"] == "Deployment" and one["metadata"]["name"] == "gyrus-gateway"
        ]
        [container] = gateway["spec"]["template"]["spec"]["containers"]
        assert {"name": "GYRUS_TRAINING_DATA", "value": data} in container["env"]


PRODUCTION = ["-f", str(CHART / "ci" / "production-values.yaml")]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--set", "gatway.replicas=2"], "gatway"),
        (["--set", "gateway.replicas=many"], "/gateway/replicas"),
        (["--set", "gateway.replicas=0"], "/gateway/replicas"),
        (["--set", "profile=test"], "/profile"),
        (["--set", "externalDatabase.existingSecret=mysql"], "externalDatabase.existingSecret"),
        (["--set", "mariadb.enabled=false"], "externalDatabase.existingSecret"),
        (["--set", "profile=production"], "mariadb.enabled"),
        ([*PRODUCTION, "--set", "auth.existingSecret="], "auth.existingSecret"),
        ([*PRODUCTION, "--set", "auth.existingKeysSecret="], "auth.existingKeysSecret"),
        (["--set", "mlflow.externalUri=http://mlflow"], "mlflow.externalUri"),
        (["--set", "mlflow.enabled=false"], "mlflow.externalUri"),
        (["--set", "mlflow.artifacts.destination=bucket"], "mlflow.artifacts.destination"),
        (["--set", "training.data.destination=bucket"], "training.data.destination"),
        (
            [
                "--set",
                "training.data.destination=s3://bucket,training.persistence.existingClaim=mine",
            ],
            "training.persistence.existingClaim",
        ),
        (["--set", "training.workers.gpus=1,training.workers.cpus=2"], "training.workers.gpus"),
        (["--set", "ingress.enabled=true"], "ingress.host"),
        (["--set", "httpRoute.enabled=true"], "httpRoute.parentRefs"),
        (
            ["--set", "serving.explain.maxReplicas=1,serving.explain.minReplicas=2"],
            "serving.explain",
        ),
        (["--set", "serving.classify.cpus=3"], "serving.workers.minReplicas"),
        (["--set", "training.namespace=gyrus"], "training.namespace"),
        (["--set", "bootstrap.enabled=true,training.enabled=false"], "bootstrap.enabled"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence_that_names_the_key(
    refusal: Callable[..., str], arguments: list[str], key: str
) -> None:
    assert key in refusal(*arguments).replace("at '", "").replace("'", "")


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([], [1, 1]),
        (["--set", "serving.classify.minReplicas=3,serving.workers.minReplicas=2"], [2, 1]),
        (["-f", str(CHART / "ci" / "production-values.yaml")], [2, 1]),
    ],
)
def test_replicas_are_spread_over_workers(
    render: Callable[..., Any], values: list[str], limits: list[int]
) -> None:
    [service] = [one for one in render(*values) if one["kind"] == "RayService"]
    applications = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    found = [one["deployments"][0]["max_replicas_per_node"] for one in applications]
    assert found == limits
