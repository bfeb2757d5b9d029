"""A steady load, while something is changed or lost: nothing fails, and nothing is lost."""

import os

import pytest

from tests.cluster.installed import GATEWAY, HEAD, WORKER, Installed, assert_unharmed, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

RATE = float(os.environ.get("GYRUS_TEST_RATE", "5"))
SECONDS = float(os.environ.get("GYRUS_TEST_SECONDS", "30"))
"""Uploads a second, and for how long at least."""


@pytest.fixture(autouse=True)
def settled(served: Installed) -> None:
    """Begin when all is well: the test before may have left something on its way."""
    served.ready()


def test_a_promotion_fails_no_request(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load, served.api() as api:
        api.post("/v1/models/2/promote").raise_for_status()
        api.post("/v1/models/rollback").raise_for_status()
    assert_unharmed(load)
    assert load.versions == {1, 2}
    assert load.answers[-1]["version"] == 1


def test_a_new_image_of_the_gateway_fails_no_request(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.upgrade("--set", "gateway.image.tag=next")
        served.ready()
        images = {one["spec"]["containers"][0]["image"] for one in served.pods(GATEWAY)}
        served.helm("rollback", "gyrus")
        served.ready()
    assert {image.rpartition(":")[2] for image in images} == {"next"}
    assert_unharmed(load)


def test_more_replicas_fail_no_request(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.upgrade("--set", "serving.explain.minReplicas=3,serving.workers.minReplicas=3")
        until(lambda: len(served.pods(WORKER)) == 3, 120)
        served.ready()
        served.helm("rollback", "gyrus")
    assert_unharmed(load)


def test_the_loss_of_a_gateway_pod_fails_no_request(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.delete_pod(GATEWAY)
        served.ready()
    assert_unharmed(load)


def test_the_loss_of_a_worker_of_ray_fails_no_request(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.delete_pod(WORKER)
        served.ready()
    assert_unharmed(load)


def test_the_loss_of_the_head_of_ray_fails_no_request(served: Installed) -> None:
    workers = {one["metadata"]["name"] for one in served.pods(WORKER)}
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.delete_pod(HEAD)
        until(lambda: len(served.pods(HEAD)) == 1, 180)
        served.ready()
    assert_unharmed(load)
    assert {one["metadata"]["name"] for one in served.pods(WORKER)} == workers


def test_a_restart_of_the_database_loses_nothing_that_was_acknowledged(served: Installed) -> None:
    with served.load(rate=RATE, seconds=SECONDS) as load:
        served.kubectl("rollout", "restart", "statefulset/gyrus-mariadb")
        served.ready()
    assert {one["status"] for one in load.failed} <= {"503"}
    assert all(one["retry_after"] for one in load.failed)
    assert load.lost == []
    assert load.answers[-1]["status"] == "201"
