"""`gyrus up`, `down`, `status`, `user` and `version`."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gyrus import __version__
from gyrus.cli.options import AsJson, Home, print_json, settings_of
from gyrus.errors import GyrusError, InputError, Unavailable

users = typer.Typer(no_args_is_help=True)

STOP_S = 90.0


def up(
    data: Annotated[
        Path | None,
        typer.Option(help="Class folders to learn from first, in place of generated images."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="The page's port (GYRUS_PORT; 8000).", min=1, max=65535)
    ] = None,
    home: Home = None,
    train: Annotated[
        bool, typer.Option(help="Train a first model when none is champion yet.")
    ] = True,
) -> None:
    """Start everything on this machine, and stay until Ctrl-C."""
    from gyrus.cli.display import Display
    from gyrus.launch.local import LocalLauncher, Options

    options = Options(data=data, train=train)
    with suppress(KeyboardInterrupt), Display() as display:
        LocalLauncher(settings_of(home, port), options, display).up()


def down(home: Home = None) -> None:
    """Stop what `gyrus up` started, and wait until it is gone."""
    from gyrus.launch.instance import RunFolder
    from gyrus.launch.processes import process_runs

    folder = RunFolder(settings_of(home).home)
    instance = folder.running()
    if instance is None:
        print("Gyrus is not running.")
        return
    os.kill(instance.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while folder.is_running() or process_runs(instance.pid):
        if time.monotonic() > deadline:
            raise Unavailable(f"Process {instance.pid} still runs after {STOP_S:.0f} seconds.")
        time.sleep(0.1)
    print("Gyrus has stopped.")


def status(home: Home = None, as_json: AsJson = False) -> None:
    """Say whether Gyrus runs here, and how far it is; exits with 1 when it does not run."""
    from gyrus.launch.instance import RunFolder
    from gyrus.launch.status import read_status

    folder = RunFolder(settings_of(home).home)
    instance = folder.running()
    told = read_status(folder.status) if instance else None
    if as_json:
        print_json(
            {
                "running": instance is not None,
                "url": instance.url if instance else None,
                "pid": instance.pid if instance else None,
                "status": told.model_dump(mode="json") if told else None,
            }
        )
    elif instance is None:
        print("Gyrus is not running.")
    else:
        message = f"{told.stage}: {told.message}" if told else "starting"
        print(f"Gyrus runs at {instance.url} (process {instance.pid})\n{message}")
    if instance is None:
        raise typer.Exit(1)


@users.command("add")
def add_user(
    email: Annotated[str, typer.Argument(help="The new user's address.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Register a user; the password is asked for, or taken from GYRUS_PASSWORD."""
    from gyrus.client import GatewayClient
    from gyrus.launch.instance import RunFolder

    instance = RunFolder(settings_of(home).home).running()
    if instance is None:
        raise Unavailable("Gyrus is not running here. Start it with `gyrus up`.")
    password = os.environ.get("GYRUS_PASSWORD") or typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True
    )
    with GatewayClient(instance.url) as gateway:
        try:
            user = gateway.add_user(email, password)
        except GyrusError as error:
            raise (InputError(error.detail) if error.status == 422 else error) from error
    if as_json:
        print_json(user)
    else:
        print(f"{user['email']} can sign in at {instance.url}")


def version() -> None:
    """Print the version of Gyrus."""
    print(f"gyrus {__version__}")
