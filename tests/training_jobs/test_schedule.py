from training_jobs.schedule import REDUCE_AFTER, REDUCE_FACTOR, Schedule


def test_a_better_loss_is_an_improvement_and_starts_the_wait_again() -> None:
    schedule = Schedule(learning_rate=1e-3, patience=2)
    schedule.observe(1.0)
    schedule.observe(1.5)
    schedule.observe(0.9)
    assert schedule.improved
    assert not schedule.stop
    assert schedule.best == 0.9


def test_it_stops_after_patience_epochs_without_improvement() -> None:
    schedule = Schedule(learning_rate=1e-3, patience=2)
    for loss in (1.0, 1.1, 1.2):
        schedule.observe(loss)
    assert schedule.stop
    assert not schedule.improved


def test_the_rate_falls_on_a_plateau() -> None:
    schedule = Schedule(learning_rate=1e-3, patience=50)
    schedule.observe(1.0)
    for _ in range(2 * REDUCE_AFTER):
        schedule.observe(1.0)
    assert schedule.learning_rate == 1e-3 * REDUCE_FACTOR**2


def test_a_restart_forgets_all_but_the_best_loss() -> None:
    schedule = Schedule(learning_rate=1e-3, patience=REDUCE_AFTER)
    for loss in (1.0, *[1.1] * REDUCE_AFTER):
        schedule.observe(loss)
    assert schedule.stop
    schedule.restart(1e-3)
    assert schedule == Schedule(learning_rate=1e-3, patience=REDUCE_AFTER, best=1.0)
    schedule.observe(1.05)
    assert not schedule.improved
