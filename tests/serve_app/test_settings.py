import pytest
from pydantic import ValidationError

from serve_app.settings import ServeSettings


def test_replica_refuses_to_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GYRUS_SERVE_SECRET", raising=False)
    with pytest.raises(ValidationError, match="secret"):
        ServeSettings()
    with pytest.raises(ValidationError, match="secret"):
        ServeSettings(secret="")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRUS_SERVE_SECRET", "s")
    monkeypatch.setenv("GYRUS_SERVE_NUM_CPUS", "0.5")
    monkeypatch.setenv("GYRUS_SERVE_URL", "http://127.0.0.1:1")
    assert ServeSettings().num_cpus == 0.5


def test_batches_that_could_never_fill_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least 32"):
        ServeSettings(secret="s", max_batch=16, concurrent_batches=2, max_ongoing_requests=31)
    ServeSettings(secret="s", max_batch=16, concurrent_batches=2, max_ongoing_requests=32)


def test_more_least_than_most_replicas_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_replicas"):
        ServeSettings(secret="s", min_replicas=3, max_replicas=2)


def test_secret_is_not_shown() -> None:
    assert "hush" not in repr(ServeSettings(secret="hush"))
