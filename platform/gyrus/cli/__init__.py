"""The `gyrus` command."""

import signal
import sys
from collections.abc import Sequence

import typer
from pydantic import ValidationError

from gyrus.cli import bootstrap, data, evaluate, jobs, models, predict, running, train
from gyrus.errors import GyrusError, InputError
from gyrus.recipe import OUR_OWN
from gyrus.settings import PlatformSettings

app = typer.Typer(
    name="gyrus",
    help="Train, serve and explain brain-MRI tumour classifiers. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(running.up)
app.command("down")(running.down)
app.command("status")(running.status)
app.command("bootstrap")(bootstrap.bootstrap)
app.add_typer(data.app, name="data", help="Make, read in and list datasets.")
app.command("train")(train.train)
app.add_typer(jobs.app, name="jobs", help="List, follow and cancel trainings.")
app.add_typer(models.app, name="models", help="List models, and choose the one that is served.")
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.add_typer(running.users, name="user", help="Users of the page and the API.")
app.command("version")(running.version)

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit: 0, 2 when what was given cannot be used, otherwise 1."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error is one line on standard error. Returns the exit code."""
    try:
        code = app(args=arguments, prog_name="gyrus", standalone_mode=False)
    except typer.TyperException as error:
        message, code = error.format_message(), error.exit_code
    except GyrusError as error:
        # A clash is answered by asking for something else, as is a name that nothing has.
        code = BAD_INPUT if isinstance(error, InputError) or error.status in {404, 409} else 1
        message = error.detail
    except ValidationError as error:
        wrong = error.errors()[0]
        name = "_".join(str(part) for part in wrong["loc"])
        if error.title == PlatformSettings.__name__:
            name = f"GYRUS_{name.upper()}"
        said = wrong["msg"].removeprefix(OUR_OWN)
        message, code = f"{name}: {said}" if name else said, BAD_INPUT
    except OSError as error:
        message, code = f"{error.filename or 'The system'}: {error.strerror or error}", 1
    except (KeyboardInterrupt, typer.Abort):
        message, code = "interrupted", 128 + signal.SIGINT
    except Exception as error:
        # Not imported to be named here: that takes seconds.
        if type(error).__module__ != "mlflow.exceptions":
            raise
        message, code = f"The model registry: {error}".partition("\n")[0], 1
    else:
        return code if isinstance(code, int) else 0
    if message.startswith("Usage:"):
        print(message, file=sys.stderr)
    elif message:
        print(f"gyrus: {' '.join(message.split())}", file=sys.stderr)
    return int(code)
