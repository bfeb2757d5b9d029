"""A Gyrus that helm installed, and a load on it."""

import json
import os
import subprocess
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gyrus.launch.ports import LOOPBACK, pick_ports
from tests.rendering import CHART

HERE = Path(__file__).parent
VALUES = HERE / "values.yaml"
ADMIN = "admin@example.com"

GATEWAY = "app.kubernetes.io/component=gateway"
HEAD = "ray.io/node-type=head,app.kubernetes.io/component=serving"
WORKER = "ray.io/node-type=worker,app.kubernetes.io/component=serving"


@dataclass(frozen=True)
class Cluster:
    """The cluster of a kubeconfig file, asked with the tools that people use."""

    kubeconfig: str

    def kubectl(self, *arguments: str, given: str = "", check: bool = True) -> str:
        """What kubectl said; fails the test if it failed, unless `check` is off."""
        return self._run("kubectl", *arguments, given=given, check=check)

    def helm(self, *arguments: str) -> str:
        """What helm said; fails the test if it failed."""
        return self._run("helm", *arguments)

    @contextmanager
    def namespace(self, name: str) -> Iterator[None]:
        """A namespace that lets in only what needs no privilege; it goes with its training."""
        self.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        try:
            yield
        finally:
            both = (name, f"{name}-training")
            self.kubectl("delete", "namespace", *both, "--ignore-not-found", "--timeout=5m")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on."""
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL)

    def _run(self, *command: str, given: str = "", check: bool = True) -> str:
        done = subprocess.run(
            command, env=self._environment, input=given, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr[-3000:]}"
        return done.stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": self.kubeconfig}


@dataclass(frozen=True)
class Installed:
    """The release `gyrus` in a namespace of its own."""

    cluster: Cluster
    namespace: str

    @classmethod
    @contextmanager
    def install(cls, cluster: Cluster, namespace: str, *arguments: str) -> Iterator["Installed"]:
        """Install the chart, wait until it serves, and uninstall it again."""
        gyrus = cls(cluster, namespace)
        try:
            gyrus.helm("install", "gyrus", str(CHART), "-f", str(VALUES), *arguments)
            gyrus.ready()
            yield gyrus
        finally:
            gyrus.helm("uninstall", "gyrus", "--ignore-not-found", "--wait", "--timeout", "5m")

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """kubectl in the release's namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, given=given)

    def helm(self, *arguments: str) -> str:
        """helm in the release's namespace."""
        return self.cluster.helm("-n", self.namespace, *arguments)

    def upgrade(self, *arguments: str) -> None:
        """`helm upgrade` with other values."""
        self.helm("upgrade", "gyrus", str(CHART), "-f", str(VALUES), *arguments)

    def pods(self, selector: str, *, namespace: str = "") -> list[dict[str, Any]]:
        """The pods of a selector that are not going away, oldest first."""
        where = ("-n", namespace or self.namespace, "get", "pods", "-l", selector, "-o", "json")
        found = json.loads(self.cluster.kubectl(*where))["items"]
        alive = [one for one in found if "deletionTimestamp" not in one["metadata"]]
        return sorted(alive, key=lambda one: str(one["metadata"]["creationTimestamp"]))

    def delete_pod(self, selector: str, *, namespace: str = "", force: bool = False) -> str:
        """Delete the oldest pod of a selector, and return its name without waiting."""
        name: str = self.pods(selector, namespace=namespace)[0]["metadata"]["name"]
        now = ["--grace-period=0", "--force"] if force else []
        where = ("-n", namespace or self.namespace)
        self.cluster.kubectl(*where, "delete", "pod", name, "--wait=false", *now)
        return name

    def ready(self, *, seconds: int = 600) -> None:
        """Wait until all that belongs to the release is as it should be."""
        rollouts = [
            "deployment/gyrus-gateway",
            "deployment/gyrus-mlflow",
            "statefulset/gyrus-mariadb",
        ]
        for one in rollouts:
            self.kubectl("rollout", "status", one, f"--timeout={seconds}s")
        self.kubectl("wait", "--for=condition=Ready", "rayservice/gyrus", f"--timeout={seconds}s")
        until(lambda: not self._unsettled(), seconds, self._unsettled)

    def _unsettled(self) -> list[str]:
        """What of Ray is still on its way to one cluster, with a head and the fewest workers.

        The autoscaler may have more, which are empty, and so not ready, until it takes them away.
        """
        clusters = json.loads(self.kubectl("get", "rayclusters", "-o", "json"))["items"]
        pods = json.loads(self.kubectl("get", "pods", "-l", "ray.io/node-type", "-o", "json"))[
            "items"
        ]
        missing = [one["metadata"]["name"] for one in pods if not is_ready(one)]
        wanted = 1 + sum(one["spec"]["workerGroupSpecs"][0]["minReplicas"] for one in clusters)
        going = any("deletionTimestamp" in one["metadata"] for one in pods)
        has_head = any(is_head(one) and is_ready(one) for one in pods)
        is_whole = len(clusters) == 1 and has_head and len(pods) - len(missing) >= wanted
        return [] if is_whole and not going else ["Ray's pods", *missing]

    @contextmanager
    def forward(self, service: str, port: int) -> Iterator[str]:
        """The address on this machine of one pod of a service."""
        [here] = pick_ports(1)
        at = ("--address", LOOPBACK, f"service/{service}", f"{here}:{port}")
        process = self.cluster.start("kubectl", "-n", self.namespace, "port-forward", *at)
        url = f"http://{LOOPBACK}:{here}"
        try:
            until(lambda: answers(url), 30)
            yield url
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """The API, with the rights of the administrator."""
        with (
            self.forward("gyrus-gateway", 80) as url,
            httpx.Client(base_url=url, timeout=120, trust_env=False) as client,
        ):
            form = {"username": ADMIN, "password": self.secret("gyrus-auth", "admin-password")}
            signed_in = client.post("/v1/token", data=form).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
            yield client

    def secret(self, name: str, key: str) -> str:
        """What is in a secret."""
        path = f"jsonpath={{.data.{key}}}"
        return b64decode(self.kubectl("get", "secret", name, "-o", path)).decode()

    @contextmanager
    def load(self, *, rate: float, seconds: float, node: str = "") -> Iterator["Load"]:
        """Uploads from a pod, `rate` a second: for `seconds`, and until the block ends.

        The pod is on `node`, or else on any.
        """
        self.kubectl("apply", "-f", "-", given=self._load_objects(rate, seconds, node))
        load = Load()
        try:
            self.kubectl("wait", "--for=condition=Ready", "pod/load", "--timeout=120s")
            until(lambda: "started" in self.kubectl("logs", "load"), 60)
            yield load
            self.kubectl("exec", "load", "--", "sh", "-c", "kill -TERM 1")
            finished = "--for=jsonpath={.status.phase}=Succeeded"
            self.kubectl("wait", finished, "pod/load", f"--timeout={seconds + 120:.0f}s")
            load.read(self.kubectl("logs", "load"))
            assert len(load.answers) >= rate * seconds
        finally:
            print(load)
            self.kubectl("delete", "pod/load", "configmap/load", "--grace-period=0", "--force")

    def _load_objects(self, rate: float, seconds: float, node: str) -> str:
        image = json.loads(self.kubectl("get", "rayservice", "gyrus", "-o", "json"))
        head = image["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
        script = (HERE / "load.py").read_text()
        asked = {"URL": "http://gyrus-gateway", "RATE": str(rate), "SECONDS": str(seconds)}
        pod = {
            "restartPolicy": "Never",
            "nodeName": node or None,
            "automountServiceAccountToken": False,
            "securityContext": head["securityContext"],
            "volumes": [{"name": "script", "configMap": {"name": "load"}}],
            "containers": [
                {
                    "name": "load",
                    "image": head["containers"][0]["image"],
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["python", "/load/load.py"],
                    "env": [{"name": name, "value": value} for name, value in asked.items()],
                    "securityContext": head["containers"][0]["securityContext"],
                    "volumeMounts": [{"name": "script", "mountPath": "/load"}],
                }
            ],
        }
        objects = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "load"},
                "data": {"load.py": script},
            },
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "load"}, "spec": pod},
        ]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


@dataclass
class Load:
    """What became of each upload; empty until the load has ended."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: int = 0

    def read(self, log: str) -> None:
        """Read what `load.py` printed."""
        said = json.loads(log.splitlines()[-1])
        self.answers = said["answers"]
        kept = said["history"]
        acknowledged = {one["id"] for one in self.answers if one["id"]}
        self.lost = sorted(acknowledged - set(kept))
        self.twice = len(kept) - len(acknowledged)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The uploads that got no prediction."""
        return [one for one in self.answers if one["status"] != "201"]

    @property
    def versions(self) -> set[int]:
        """The versions of the model that answered."""
        return {one["version"] for one in self.answers if one["version"]}

    def __str__(self) -> str:
        if not self.answers:
            return "the load did not end"
        times = sorted(one["seconds"] for one in self.answers)
        statuses = dict(Counter(one["status"] for one in self.answers))
        last = max(one["at"] for one in self.answers)
        quantiles = [f"{times[int(share * (len(times) - 1))]:.2f}" for share in (0.5, 0.95, 1)]
        bad = [(f"{one['at']:.1f} s", one["status"], one.get("detail")) for one in self.failed]
        return (
            f"{len(times)} uploads in {last:.0f} s: {statuses}, {'/'.join(quantiles)} s "
            f"(median, 95 %, slowest), {len(self.lost)} lost, models {sorted(self.versions)}"
            f"{' '.join(['', *map(str, bad[:5])])}"
        )


def assert_unharmed(load: Load) -> None:
    """No upload failed, and none was lost or kept twice."""
    assert load.failed == []
    assert load.lost == []
    assert load.twice == 0


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is ready, and stays."""
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def is_head(pod: dict[str, Any]) -> bool:
    """Whether a pod is the head of a Ray cluster."""
    return bool(pod["metadata"]["labels"]["ray.io/node-type"] == "head")


def answers(url: str) -> bool:
    """Whether anything speaks HTTP there."""
    try:
        httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return False
    return True


def until(
    condition: Callable[[], bool], seconds: float, excuse: Callable[[], object] = lambda: ""
) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {excuse()}"
        time.sleep(1)
