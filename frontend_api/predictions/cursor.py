"""The opaque cursors of a history that is paged by (created_at, id)."""

import base64
from datetime import UTC, datetime

from gyrus.errors import InputError


def encode(at: datetime, prediction_id: str) -> str:
    """A cursor for what comes after this prediction."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {prediction_id}".encode()).decode()


def decode(cursor: str) -> tuple[datetime, str]:
    """The moment and the id of a cursor.

    Raises:
        InputError: it is none of ours.
    """
    try:
        at, prediction_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return datetime.fromisoformat(at).astimezone(UTC), prediction_id
    except (ValueError, OverflowError) as error:
        raise InputError("The cursor is not one that a page gave. Start without it.") from error
