"""The group of workers: two real processes under one strategy, against one process alone."""

import json
import os
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gyrus.errors import InputError
from gyrus.launch.ports import LOOPBACK, pick_ports
from training_jobs.distributed import DistributedModel, allowed_loss, share_machine

SCRIPT = """
import json, sys
import keras
import numpy as np
from training_jobs.average import AVERAGE_EVERY
from training_jobs.distributed import DistributedModel, make_strategy

rank, world = map(int, sys.argv[1:])
strategy = make_strategy()
images = np.random.default_rng(1).integers(0, 256, (24, 8, 8, 1), dtype=np.uint8)
allowed = np.eye(2, dtype=bool)[(images.mean((1, 2, 3)) > 127).astype(int)]
allowed[:4] = True
weights = np.linspace(0.5, 1.5, 24, dtype=np.float32)
mine = np.array_split(np.arange(24), world)[rank]


def group(norm):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        inputs = keras.Input((8, 8, 1), dtype="uint8")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.BatchNormalization()(x) if norm else x
        model = keras.Model(inputs, keras.layers.Dense(2)(x))
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(model.trainable_variables)
    made = DistributedModel(strategy, model, optimizer)
    made.train_on(model, model.trainable_variables, 24)
    signs = (rank == world - 1, False, rank == 0)
    steps = [made.step(images[mine], allowed[mine], weights[mine], sign=sign) for sign in signs]
    return made, steps


def statistics(model):
    return [v.numpy().ravel().tolist() for v in model.non_trainable_variables]


plain, steps = group(norm=False)
normed, _ = group(norm=True)
normed.average.join(AVERAGE_EVERY)
before = statistics(normed.model)
normed.average_statistics()
rows = np.array([5, 3, 21, 0, 8, 8, 13])
print(json.dumps({
    "losses": [loss for loss, _ in steps],
    "signs": [sign for _, sign in steps],
    "weights": [w.ravel().tolist() for w in plain.model.get_weights()],
    "optimizer": [v.numpy().ravel().tolist() for v in plain.optimizer.variables],
    "before": before,
    "after": statistics(normed.model),
    "average": [w.ravel().tolist() for w in normed.average.weights[2:4]],
    "predicted": plain.compute(plain.model, images, rows, rank=rank, batch=2).tolist(),
    "expected": plain.model(images[rows]).numpy().tolist(),
}))
"""


def run(world: int) -> list[dict[str, Any]]:
    """What each of `world` workers found."""
    addresses = [f"{LOOPBACK}:{port}" for port in pick_ports(world)]
    processes = []
    for rank in range(world):
        task = {"type": "worker", "index": rank}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config) if world > 1 else ""}
        if world == 1:
            del environment["TF_CONFIG"]
        command = [sys.executable, "-c", SCRIPT, str(rank), str(world)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    results = []
    for process in processes:
        out, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-2000:]
        results.append(json.loads(out.splitlines()[-1]))
    return results


def test_the_loss_is_of_the_summed_probability_of_what_is_allowed() -> None:
    logits = np.array([[2.0, 0.0, 1.0], [0.5, -1.0, 0.0], [80.0, -80.0, 0.0]], np.float32)
    allowed = np.array([[True, False, True], [False, True, False], [True, True, True]])
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log((probabilities * allowed).sum(1))
    found = allowed_loss(tf.constant(logits), tf.constant(allowed)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_worker_has_a_gpu_of_its_own_or_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpu, kind: seen.append(gpu))
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda threads: 0)
    for rank in (0, 1):
        share_machine(2, rank)
    with pytest.raises(InputError, match="3 workers came to a machine with 2"):
        share_machine(3, 0)
    assert seen == ["first", "second"]


def test_variables_that_join_after_a_reset_do_not_move_further_than_the_first_did() -> None:
    rate, far = 0.01, []
    for reset in (False, True):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(8)
        model = keras.Model(inputs, keras.layers.Dense(2)(hidden(inputs)))
        optimizer = keras.optimizers.Adam(rate)
        optimizer.build(model.trainable_variables)
        group = DistributedModel(tf.distribute.get_strategy(), model, optimizer)
        images = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
        batch = images, np.eye(2, dtype=bool)[[0, 1] * 3], np.ones(6, np.float32)
        group.train_on(model, model.trainable_variables[2:], 6)
        for _ in range(200):
            group.step(*batch)
        if reset:
            group.reset_optimizer()
        group.train_on(model, model.trainable_variables, 6)
        before = hidden.get_weights()[0]
        for _ in range(20):
            group.step(*batch)
        far.append(np.abs(hidden.get_weights()[0] - before).max() / (20 * rate))
    assert far[0] > 1.5
    assert far[1] < 1.01


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return run(1)[0]


@pytest.fixture(scope="module")
def pair() -> list[dict[str, Any]]:
    return run(2)


def flat(values: list[list[float]]) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values])


def test_two_workers_take_the_steps_that_one_takes(
    alone: dict[str, Any], pair: list[dict[str, Any]]
) -> None:
    for worker in pair:
        np.testing.assert_allclose(worker["losses"], alone["losses"], rtol=1e-4)
        np.testing.assert_allclose(flat(worker["weights"]), flat(alone["weights"]), atol=1e-5)
        # Adam's steps are the same however large the gradients are; what it remembers is not.
        np.testing.assert_allclose(flat(worker["optimizer"]), flat(alone["optimizer"]), rtol=1e-3)


def test_a_sign_of_one_worker_reaches_all_with_the_same_step(
    alone: dict[str, Any], pair: list[dict[str, Any]]
) -> None:
    assert [one["signs"] for one in (alone, *pair)] == [[True, False, True]] * 3


def test_moving_statistics_differ_until_they_are_averaged(pair: list[dict[str, Any]]) -> None:
    first, second = (flat(worker["before"]) for worker in pair)
    assert np.abs(first - second).max() > 1e-3
    for worker in pair:
        for averaged in (worker["after"], worker["average"]):
            np.testing.assert_allclose(flat(averaged), (first + second) / 2, atol=1e-6)


@pytest.mark.parametrize("workers", ["alone", "pair"])
def test_shared_prediction_gives_everyone_all_rows_in_order(
    workers: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(workers)
    for worker in found if isinstance(found, list) else [found]:
        np.testing.assert_allclose(worker["predicted"], worker["expected"], atol=1e-5)
