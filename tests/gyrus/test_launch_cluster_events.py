"""What a training on a cluster tells, and how it is told to the end."""

import httpx2
import pytest

from gyrus.errors import NotFound, TrainingFailed, Unavailable
from gyrus.launch.jobs import follow, version_of
from tests.bundles import CARD
from tests.gyrus.training_cluster import (
    COMPLETE,
    FAILED,
    MODEL,
    RUNNING,
    TrainingCluster,
    asked,
    told,
)


def test_events_come_from_the_pods_as_they_tell_them(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    events = [
        told(1, "epoch", epoch=1),
        told(2, "epoch", epoch=2),
        told(3, "done", message="version 1"),
    ]
    cluster.logs["one-abcde"] = 400  # its container is being made
    stream = cluster.jobs.events("one")
    assert next(stream) is None
    cluster.items["one"]["status"] = RUNNING
    cluster.tells(events[0])
    assert [next(stream), next(stream)] == [events[0], None]
    assert "sinceSeconds" not in cluster.asked[-1]
    cluster.tells(*events)
    cluster.items["one"]["status"] = COMPLETE
    assert list(stream) == events[1:]
    assert int(cluster.asked[-1]["sinceSeconds"]) > 60
    assert [e for e in cluster.jobs.events("one", events[1].time) if e] == events[2:]


def test_an_event_may_hold_any_line_separator(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    event = told(1, "failed", message="one\u2028two\u2029three\x85four")
    cluster.tells(event)
    assert cluster.jobs.get("one").progress == event
    assert cluster.jobs.log("one") == "\nJob succeeded"


def test_a_retried_job_goes_on_with_what_its_new_pod_tells(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    first, restart, done = (
        told(1, "epoch"),
        told(9, "restart"),
        told(10, "done", message="version 1"),
    )
    cluster.tells(first)
    cluster.tells(restart, done, pod="one-retried")
    cluster.items["one"]["status"] = COMPLETE
    assert list(follow(cluster.jobs, "one")) == [first, restart, done]


def test_the_last_event_is_waited_for_when_the_job_ended_before_it_came(
    cluster: TrainingCluster,
) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.items["one"]["status"] = COMPLETE
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.tells(told(1, "epoch"), told(2, "done", message="version 1"))
    assert list(stream) == [told(2, "done", message="version 1")]


def test_a_job_that_could_not_tell_its_end_ends_with_the_operators_words(
    cluster: TrainingCluster,
) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.then = [RUNNING, RUNNING, FAILED]
    with pytest.raises(TrainingFailed, match="lost too often"):
        list(follow(cluster.jobs, "one"))
    job = cluster.jobs.get("one")
    assert job.progress is not None
    assert (job.progress.kind, job.progress.time) == ("failed", job.ended_at)


def test_the_registry_knows_what_a_job_made_whose_pod_is_gone(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    cluster.registry.made["one"] = MODEL
    job = cluster.jobs.get("one")
    assert (job.state, job.version) == ("succeeded", 7)
    assert job.progress is not None
    assert (job.progress.kind, job.progress.metrics) == ("done", CARD.metrics.flat())
    assert job.progress.time == job.ended_at
    assert cluster.jobs.jobs() == [job]
    assert list(follow(cluster.jobs, "one")) == [job.progress]
    # What is left is of a first try, which failed.
    cluster.tells(told(1, "epoch"), told(9, "failed", message="The head was lost."))
    assert cluster.jobs.get("one") == job
    assert list(follow(cluster.jobs, "one"))[-1] == job.progress


def test_a_registry_that_is_away_hides_no_job_and_ends_no_stream(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    cluster.registry.made["one"] = MODEL
    cluster.registry.away = 3
    [job] = cluster.jobs.jobs()
    assert (job.state, job.version) == ("succeeded", None)
    with pytest.raises(Unavailable, match="MLflow"):
        cluster.jobs.plot("one", "roc")
    [done] = follow(cluster.jobs, "one")
    assert (done.message, cluster.registry.away) == ("version 7", 0)


def test_a_job_whose_model_is_not_registered_any_more_ends_without_one(
    cluster: TrainingCluster,
) -> None:
    cluster.jobs.create(asked())
    cluster.items["one"]["status"] = COMPLETE
    [done] = follow(cluster.jobs, "one")
    assert (done.kind, version_of(done)) == ("done", None)
    with pytest.raises(NotFound, match="no plot roc"):
        cluster.jobs.plot("one", "roc")


def test_a_stream_goes_on_when_kubernetes_answers_again(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    cluster.items["one"]["status"] = RUNNING
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.fault = httpx2.ConnectError("no route")
    assert [next(stream), next(stream)] == [None, None]
    cluster.fault = None
    cluster.tells(told(1, "epoch"), told(2, "done", message="version 1"))
    cluster.items["one"]["status"] = COMPLETE
    assert list(stream) == [told(2, "done", message="version 1")]


def test_a_cancelled_job_is_gone_and_its_followers_are_told(cluster: TrainingCluster) -> None:
    cluster.jobs.create(asked())
    cluster.tells(told(1, "epoch"))
    stream = cluster.jobs.events("one")
    assert [next(stream), next(stream)] == [told(1, "epoch"), None]
    cluster.jobs.cancel("one")
    [last] = list(stream)
    assert last is not None
    assert (last.kind, last.message) == ("failed", "The run was cancelled.")
    for missing in (cluster.jobs.get, cluster.jobs.events, cluster.jobs.cancel):
        with pytest.raises(NotFound):
            missing("one")
