"""Options that several commands share."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gyrus.settings import PlatformSettings

Home = Annotated[
    Path | None,
    typer.Option(
        help="Where Gyrus keeps everything (GYRUS_HOME; ~/.gyrus).", file_okay=False, metavar="DIR"
    ),
]
PIPE_COLUMNS = 240

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(home: Path | None, port: int | None = None) -> PlatformSettings:
    """The platform's settings, with what the command line says in place of the environment."""
    settings = PlatformSettings()
    given: dict[str, Any] = {"home": (home or settings.home).expanduser().resolve()}
    if port is not None:
        given["port"] = port
    return settings.model_copy(update=given)


def print_json(value: Any) -> None:
    """Print a value as JSON; dates, paths and models as text."""
    print(json.dumps(value, indent=2, default=str))


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows under the names of their columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, name in enumerate(rows[0]):
        # What a row is called stays whole: other commands are given it.
        table.add_column(name, no_wrap=column == 0)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    # Cut to the width of a terminal, but whole for a file or a pipe.
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS).print(table)
