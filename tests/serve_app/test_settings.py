import pytest
from pydantic import ValidationError

from serve_app.settings import ServeSettings

SECRET = "a-secret-of-the-tests"
OTHER = "another-one-of-the-tests"


def test_replica_refuses_to_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GYRUS_SERVE_SECRET", raising=False)
    with pytest.raises(ValidationError, match="secret"):
        ServeSettings()


@pytest.mark.parametrize("given", ["", " ", " \n" * 16, "fifteen-letters", f"short {SECRET}"])
def test_a_secret_that_is_missing_or_short_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ValidationError, match="at least 16 characters") as refused:
        ServeSettings(secret=given)
    assert "fifteen" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_several_secrets_stand_between_white_space() -> None:
    assert ServeSettings(secret=f" {SECRET}\n{OTHER} \n").secrets == [SECRET, OTHER]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRUS_SERVE_SECRET", SECRET)
    monkeypatch.setenv("GYRUS_SERVE_NUM_CPUS", "0.5")
    monkeypatch.setenv("GYRUS_SERVE_URL", "http://127.0.0.1:1")
    assert ServeSettings().num_cpus == 0.5


def test_batches_that_could_never_fill_are_refused() -> None:
    with pytest.raises(ValidationError, match="at least 32"):
        ServeSettings(secret=SECRET, max_batch=16, concurrent_batches=2, max_ongoing_requests=31)
    ServeSettings(secret=SECRET, max_batch=16, concurrent_batches=2, max_ongoing_requests=32)


def test_more_least_than_most_replicas_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_replicas"):
        ServeSettings(secret=SECRET, min_replicas=3, max_replicas=2)


def test_secret_is_not_shown() -> None:
    assert SECRET not in repr(ServeSettings(secret=SECRET))
