"""`gyrus jobs`, and how a training is followed in a terminal."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyrus.cli.options import AsJson, Home, print_json, print_table, settings_of

if TYPE_CHECKING:
    from gyrus.launch.jobs import Job
    from gyrus.launch.local_jobs import LocalTrainings

app = typer.Typer(no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="RUN", help="The run's name; see `jobs list`.")]


@app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the trainings, newest first."""
    jobs = launcher(home).jobs()
    if as_json:
        print_json([job.model_dump(mode="json") for job in jobs])
    elif jobs:
        print_table([_row(job) for job in jobs])
    else:
        print("There is no training. Start one with `gyrus train`.")


@app.command()
def show(run: JobId, home: Home = None, as_json: AsJson = False) -> None:
    """Show what was asked, how it goes, and the end of its log."""
    trainings = launcher(home)
    job = trainings.get(run)
    log = trainings.log(run)
    if as_json:
        print_json({**job.model_dump(mode="json"), "log": log})
        return
    for name, value in {**_row(job), **job.request.model_dump()}.items():
        print(f"{name:<14} {value}")
    if log:
        print(f"\n{log.rstrip()}")


@app.command()
def follow(
    run: JobId,
    home: Home = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the events as JSON lines.")
    ] = False,
) -> None:
    """Follow a training from its beginning; Ctrl-C stops following, not the training."""
    trainings = launcher(home)
    show_progress(trainings, trainings.get(run), as_json=as_json)


@app.command()
def cancel(run: JobId, home: Home = None) -> None:
    """End a training. `gyrus train --resume` goes on with it."""
    launcher(home).cancel(run)
    print(f"The training {run} was cancelled.")


def launcher(home: Path | None) -> "LocalTrainings":
    """What starts trainings on this machine."""
    from gyrus.launch.local_jobs import LocalTrainings

    return LocalTrainings(settings_of(home))


def show_progress(
    trainings: "LocalTrainings", job: "Job", *, after: datetime | None = None, as_json: bool
) -> None:
    """Show the events of a training to its end.

    Raises:
        TrainingFailed: it ended without a model.
    """
    from gyrus.cli.display import Display
    from gyrus.launch.jobs import follow, version_of

    version: int | None = None
    with Display() as display:
        if not as_json:
            display.stage(f"Training {job.id}.")
        for event in follow(trainings, job.id, after):
            version = version_of(event)
            if as_json:
                print(event.model_dump_json(), flush=True)
            else:
                display.progress(event)
    if version is not None and not as_json:
        print(
            f"Run {job.id} made model version {version}. Serve it: gyrus models promote {version}"
        )


def _row(job: "Job") -> dict[str, Any]:
    return {
        "run": job.id,
        "state": job.state,
        "version": job.version or "",
        "model": job.request.model,
        "dataset": job.request.dataset,
        "created": job.created_at.strftime("%Y-%m-%d %H:%M"),
        "progress": job.progress.describe() if job.progress else "",
    }
