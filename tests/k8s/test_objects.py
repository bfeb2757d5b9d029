"""What stands around the chart: known kinds, as safe as the chart's, and of one mind with it."""

import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.policies import POLICIES, pods
from tests.rendering import CHART, ROOT, Objects, chart
from tests.schemas import validate
from training_jobs.__main__ import parse

pytestmark = pytest.mark.helm

K8S = ROOT / "k8s"

Read = Callable[[str], Objects]

# Nothing at hand defines these: only their names are checked.
UNDEFINED = {
    "external-secrets.io/v1": {"ExternalSecret", "SecretStore"},
    "kind.x-k8s.io/v1alpha4": {"Cluster"},
    "kueue.x-k8s.io/v1beta2": {"ClusterQueue", "LocalQueue", "ResourceFlavor"},
}

FILES = sorted(path for path in K8S.rglob("*.yaml") if path.name != "kustomization.yaml")
VALUES = [path.name for path in FILES if path.name.endswith("-values.yaml")]
PLAIN = [str(path.relative_to(K8S)) for path in FILES if path.name not in VALUES]
RUNS = sorted(path.parent.name for path in K8S.rglob("kustomization.yaml"))
WITH_PODS = [*RUNS, *(name for name in PLAIN if "containers:" in (K8S / name).read_text())]


@pytest.mark.parametrize("name", [*PLAIN, *RUNS])
def test_each_object_fits_the_schema_of_its_kind(read: Read, name: str) -> None:
    objects = read(name)
    assert objects
    undefined = [one for one in objects if one["apiVersion"] in UNDEFINED]
    assert all(one["kind"] in UNDEFINED[one["apiVersion"]] for one in undefined)
    validate([one for one in objects if one not in undefined])


@pytest.mark.parametrize("name", WITH_PODS)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_k8s_holds(read: Read, policy: Callable[[Objects], None], name: str) -> None:
    policy(read(name))


def without_helm(value: Any) -> Any:
    """A value without the labels that Helm puts on what it makes."""
    if isinstance(value, list):
        return [without_helm(one) for one in value]
    if isinstance(value, dict):
        helms = {"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version"}
        return {key: without_helm(below) for key, below in value.items() if key not in helms}
    return value


def made_by_the_chart(kind: str, *arguments: str) -> dict[str, Any]:
    [found] = [one for one in chart(*arguments) if one["kind"] == kind]
    made: dict[str, Any] = without_helm(found)
    return made


def test_the_plain_ray_service_is_the_charts(read: Read) -> None:
    [plain] = read("rayservice.yaml")
    made = made_by_the_chart("RayService")
    for one in (plain, made):
        one["spec"]["serveConfigV2"] = yaml.safe_load(one["spec"]["serveConfigV2"])
    assert plain["spec"] == made["spec"]
    assert plain["metadata"]["labels"] == made["metadata"]["labels"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rayjob", []),
        ("kueue", ["--set", r"training.labels.kueue\.x-k8s\.io/queue-name=training"]),
        ("gpu", ["-f", str(CHART / "ci" / "gpu-values.yaml"), "--set", "training.labels=null"]),
    ],
)
def test_a_plain_run_is_what_the_gateway_makes_of_the_charts_template(
    read: Read, name: str, arguments: list[str]
) -> None:
    [plain] = read(name)
    made = made_by_the_chart("RayJob", *arguments)
    spec = plain["spec"]
    [workers], [template] = (
        one["rayClusterSpec"]["workerGroupSpecs"] for one in (spec, made["spec"])
    )
    pods = workers["replicas"]
    # What the gateway sets.
    made["metadata"]["name"] = plain["metadata"]["name"]
    made["spec"]["entrypoint"] = spec["entrypoint"]
    template |= {"replicas": pods, "minReplicas": pods, "maxReplicas": pods}
    if name == "gpu":  # the chart has one image for head and workers
        image = template["template"]["spec"]["containers"][0]["image"]
        assert workers["template"]["spec"]["containers"][0]["image"] == image
        for group in (spec, made["spec"]):
            for one in images(group):
                one["image"] = "any"
    assert plain == made


def images(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "image" in value:
            yield value
        for below in value.values():
            yield from images(below)
    if isinstance(value, list):
        for below in value:
            yield from images(below)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_has_a_pod_for_each_worker_and_its_own_name(read: Read, name: str) -> None:
    [job] = read(name)
    words = shlex.split(job["spec"]["entrypoint"])
    asked = parse(words[3:])
    [workers] = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert words[:3] == ["python", "-m", "training_jobs"]
    assert asked.workers == workers["replicas"]
    assert workers["rayStartParams"]["num-cpus"] == "1", "two workers would share a pod"
    assert asked.run == job["metadata"]["name"]
    assert asked.resume_if_exists, "the operator submits it again when the head was lost"
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for _, _, spec in pods([job])
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert set(claims) == {"gyrus-data"}


def test_the_plain_claim_is_the_charts(read: Read) -> None:
    def claims(objects: Objects) -> dict[tuple[str, str], Any]:
        found = [one for one in objects if one["kind"] == "PersistentVolumeClaim"]
        return {
            (one["metadata"].get("namespace"), one["metadata"]["name"]): one["spec"]
            for one in found
        }

    plain = claims(read("namespaces.yaml"))
    assert plain
    assert plain.items() <= claims(chart()).items()


@pytest.mark.parametrize("name", [name for name in VALUES if name != "kuberay-values.yaml"])
def test_the_chart_takes_the_values(name: str) -> None:
    objects = chart("-f", str(K8S / name))
    validate(objects)
    for policy in POLICIES:
        policy(objects)


def test_a_queue_of_the_chart_is_one_of_kueues(read: Read) -> None:
    queues = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in read("kueue/queues.yaml")
        if one["kind"] == "LocalQueue"
    }
    made = made_by_the_chart("RayJob", "-f", str(CHART / "ci" / "gpu-values.yaml"))
    label = made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    assert (made["metadata"]["namespace"], label) in queues


def secrets(value: Any) -> Iterator[str]:
    """The names of all secrets that an object reads."""
    if isinstance(value, list):
        for below in value:
            yield from secrets(below)
    if isinstance(value, dict):
        for key, below in value.items():
            if key in {"secretKeyRef", "secretRef"}:
                yield below["name"]
            elif key == "imagePullSecrets":
                yield from (one["name"] for one in below)
            elif key == "secretName":
                yield below
            else:
                yield from secrets(below)


def test_external_secrets_makes_all_that_production_reads(read: Read) -> None:
    objects = chart("-f", str(CHART / "ci" / "production-values.yaml"))
    assert not [one for one in objects if one["kind"] == "Secret"]
    needed = {
        (one["metadata"].get("namespace", "gyrus"), name)
        for one in objects
        for name in secrets(one)
    }
    made, stores = (
        {
            (one["metadata"]["namespace"], one["metadata"]["name"])
            for one in read("external-secrets.yaml")
            if one["kind"] == kind
        }
        for kind in ("ExternalSecret", "SecretStore")
    )
    assert made == needed
    # No store is seen from another namespace.
    assert {namespace for namespace, _ in made} == {namespace for namespace, _ in stores}


def test_the_readme_tells_of_each_file() -> None:
    table = (K8S / "README.md").read_text()
    files = {path.relative_to(K8S) for path in K8S.rglob("*.yaml")}
    for path in files:
        name = f"{path.parent}/" if path.name in {"kustomization.yaml", "rayjob.yaml"} else path
        assert f"`{name}`" in table, path
