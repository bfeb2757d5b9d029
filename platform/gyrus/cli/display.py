"""How a start and a training show themselves: live in a terminal, line by line elsewhere."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gyrus.progress import Progress as Event

LINES_FOR = {"epoch", "restart"}
"""Without a terminal, steps and checkpoints would only fill the file."""

FIGURES = {"auroc", "accuracy", "sensitivity", "specificity"}
"""What is told of an evaluation; the model's card has it all."""


class Display:
    """The reporter of the command line; a context, so that the terminal is left as it was."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._message = ""
        self._last = Event(run="", kind="step")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._live.stop()

    def stage(self, message: str) -> None:
        """Another stage began."""
        if self._task is not None:
            self._live.remove_task(self._task)
        self._task = self._live.add_task(message, total=None, detail="")
        self._message = message
        if not self._console.is_terminal:
            self._console.print(message, markup=False)

    def progress(self, event: Event) -> None:
        """The training went on."""
        self._last = _with_what_was_known(event, self._last)
        done = event.epoch - (event.kind == "step")
        self._bar(done, event.of, self._last.describe())
        if event.kind == "evaluation":
            figures = (
                f"{name} {event.metrics[name]:.3f}" for name in FIGURES & event.metrics.keys()
            )
            self.note(f"  test set: {', '.join(sorted(figures))}")
        elif not self._console.is_terminal and event.kind in LINES_FOR:
            self.note(f"  {event.describe()}")

    def count(self, message: str, done: int, of: int) -> None:
        """So many of so many images are done."""
        if message != self._message:
            self.stage(message)
        self._bar(done, of, f"{done} of {of}")

    def note(self, message: str) -> None:
        """Something to remember, above what moves."""
        self._console.print(message, markup=False)

    def _bar(self, done: int, of: int, detail: str) -> None:
        if self._task is not None:
            self._live.update(self._task, completed=done, total=of or None, detail=detail)


def _with_what_was_known(event: Event, last: Event) -> Event:
    """The event, with loss, validation AUROC and time left of an earlier one where it has none."""
    known = {
        "metrics": {**last.metrics, **event.metrics},
        "loss": last.loss if event.loss is None else event.loss,
        "left_s": last.left_s if event.left_s is None else event.left_s,
    }
    return event.model_copy(update=known)
