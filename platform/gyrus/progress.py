"""How a run goes: one JSON line an event, the same in a terminal, a file and the API."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

Kind = Literal["step", "epoch", "checkpoint", "restart", "evaluation", "done", "failed"]


class Progress(BaseModel):
    """One event of a training run.

    `step` counts optimizer steps, `epoch` counts from 1 up to `of`; `rate` is images a second and
    `left_s` the seconds that are likely left.
    """

    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    run: str
    kind: Kind
    step: int = 0
    epoch: int = 0
    of: int = 0
    loss: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    rate: float | None = None
    left_s: float | None = None
    message: str = ""

    @field_validator("metrics", mode="before")
    @classmethod
    def _known(cls, metrics: Any) -> Any:
        """Leave out those that are not known: NaN, which JSON writes as null."""
        if isinstance(metrics, dict):
            return {name: value for name, value in metrics.items() if value is not None}
        return metrics

    def describe(self) -> str:
        """The event as one line for people."""
        parts = [
            f"epoch {self.epoch}/{self.of}" if self.of else "",
            f"step {self.step}" if self.step else "",
        ]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        if "val_auroc" in self.metrics:
            parts.append(f"validation AUROC {self.metrics['val_auroc']:.3f}")
        if self.left_s is not None:
            parts.append(f"{int(self.left_s // 60)}:{int(self.left_s % 60):02d} left")
        return " · ".join(part for part in [*parts, self.message] if part)


def parse_events(text: str) -> list[Progress]:
    """The events among the lines of a text."""
    events = []
    for line in text.split("\n"):
        # Most of a mixed log is none: no need to try.
        if line.startswith("{"):
            with suppress(ValidationError):
                events.append(Progress.model_validate_json(line))
    return events
