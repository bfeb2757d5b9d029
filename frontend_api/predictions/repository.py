"""Where predictions are kept: the answer, what the model saw and where it looked. No upload."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    String,
    UniqueConstraint,
    and_,
    or_,
    select,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, Session, mapped_column, undefer

from frontend_api.database import Base, UtcDateTime, new_id, now

Picture = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


class Prediction(Base):
    """One prediction of one user.

    `cam` holds (classes, rows, columns) little-endian float16, as `cam_shape` says. Its classes and
    the `probabilities` are in the order of `classes`.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        Index(None, "user_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    label: Mapped[str] = mapped_column(String(64))
    label_is_tumour: Mapped[bool | None]
    decision: Mapped[str] = mapped_column(String(16))
    classes: Mapped[list[str]] = mapped_column(JSON)
    probabilities: Mapped[list[float]] = mapped_column(JSON)
    confidence: Mapped[float] = mapped_column(Double)
    tumour_probability: Mapped[float] = mapped_column(Double)
    threshold: Mapped[float] = mapped_column(Double)
    upper_threshold: Mapped[float | None] = mapped_column(Double)
    distance: Mapped[float] = mapped_column(Double)
    crop: Mapped[dict[str, int]] = mapped_column(JSON)
    model_version: Mapped[int]
    model_digest: Mapped[str] = mapped_column(String(64))
    model_architecture: Mapped[str] = mapped_column(String(64))
    model_synthetic: Mapped[bool]
    cam_shape: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    cam: Mapped[bytes | None] = mapped_column(Picture, deferred=True)
    thumbnail: Mapped[bytes] = mapped_column(Picture, deferred=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    request_digest: Mapped[str | None] = mapped_column(String(64))


def owned_by(user_id: str) -> Select[Prediction]:
    """The predictions of one user: every query of predictions starts here."""
    return select(Prediction).where(Prediction.user_id == user_id)


class PredictionRepository:
    """Queries of one user's predictions, in one transaction."""

    def __init__(self, session: Session, user_id: str) -> None:
        self._session = session
        self._owned = owned_by(user_id)

    def add(self, prediction: Prediction) -> None:
        """Keep a prediction; raises `IntegrityError` when its idempotency key is taken."""
        self._session.add(prediction)
        self._session.flush()

    def get(self, prediction_id: str) -> Prediction | None:
        """One prediction, without its pictures."""
        return self._session.scalar(self._owned.where(Prediction.id == prediction_id))

    def with_pictures(self, prediction_id: str) -> Prediction | None:
        """One prediction with thumbnail and maps."""
        pictures = undefer(Prediction.thumbnail), undefer(Prediction.cam)
        return self._session.scalar(
            self._owned.where(Prediction.id == prediction_id).options(*pictures)
        )

    def by_key(self, key: str) -> Prediction | None:
        """The prediction that was made under an idempotency key."""
        return self._session.scalar(self._owned.where(Prediction.idempotency_key == key))

    def page(self, limit: int, after: tuple[datetime, str] | None) -> list[Prediction]:
        """At most `limit` predictions, newest first, older than `after`."""
        query = self._owned.order_by(Prediction.created_at.desc(), Prediction.id.desc())
        if after is not None:
            at, prediction_id = after
            same_moment = and_(Prediction.created_at == at, Prediction.id < prediction_id)
            query = query.where(or_(Prediction.created_at < at, same_moment))
        return list(self._session.scalars(query.limit(limit)))

    def delete(self, prediction_id: str) -> bool:
        """Delete one prediction; returns whether there was one."""
        found = self.get(prediction_id)
        if found is not None:
            self._session.delete(found)
        return found is not None
