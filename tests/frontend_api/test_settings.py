import pytest
from pydantic import ValidationError

from frontend_api.settings import GatewaySettings

OLD, NEW = "the-old-secret-of-the-replicas", "the-new-secret-of-the-replicas"


@pytest.mark.parametrize("given", ["", " \n" * 16, "fifteen-letters", f"{OLD} short"])
def test_a_serve_secret_that_is_missing_or_short_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="at least 16 characters"):
        GatewaySettings(serve_secret=given)


def test_the_first_serve_secret_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRUS_SERVE_SECRET", f"{OLD} {NEW}\n")
    assert GatewaySettings().serve_bearer == OLD
    monkeypatch.setenv("GYRUS_SERVE_SECRET", f"{NEW} {OLD}")
    assert GatewaySettings().serve_bearer == NEW
