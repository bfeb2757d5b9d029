"""When to lower the learning rate and when to stop, as plain state that a checkpoint can hold."""

from dataclasses import dataclass

REDUCE_AFTER = 3
REDUCE_FACTOR = 0.5
LEAST_RATE = 1e-6


@dataclass
class Schedule:
    """Early stopping and ReduceLROnPlateau on the validation loss.

    `observe` tells of each epoch; then `improved`, `stop` and `learning_rate` say what follows.
    `restart` is for where other layers begin to train: only the best loss so far is remembered.
    """

    learning_rate: float
    patience: int
    best: float = float("inf")
    since_best: int = 0
    since_reduced: int = 0
    improved: bool = False

    @property
    def stop(self) -> bool:
        """Whether the loss has not improved for `patience` epochs."""
        return self.since_best >= self.patience

    def restart(self, learning_rate: float) -> None:
        """Begin anew, at a learning rate."""
        self.learning_rate, self.since_best, self.since_reduced = learning_rate, 0, 0

    def observe(self, loss: float) -> None:
        """Take note of an epoch's validation loss."""
        self.improved = loss < self.best
        if self.improved:
            self.best, self.since_best, self.since_reduced = loss, 0, 0
            return
        self.since_best += 1
        self.since_reduced += 1
        if self.since_reduced >= REDUCE_AFTER:
            self.learning_rate = max(self.learning_rate * REDUCE_FACTOR, LEAST_RATE)
            self.since_reduced = 0
