"""`gyrus data`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyrus.cli.options import AsJson, Home, print_json, print_table, settings_of

if TYPE_CHECKING:
    from gyrus.datasets import Dataset

app = typer.Typer(no_args_is_help=True)

To = Annotated[
    str | None,
    typer.Option(
        help="Where to keep it, if not with the others: a folder, or s3://bucket/path.",
        metavar="ADDRESS",
    ),
]


@app.command()
def generate(
    name: Annotated[str, typer.Option(help="The dataset's name.")] = "phantom",
    patients: Annotated[int, typer.Option(help="How many patients.", min=1)] = 480,
    slices: Annotated[int, typer.Option(help="Slices of each patient.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.", min=0)] = 0,
    to: To = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Draw images of generated patients, with and without tumours."""
    from gyrus.addresses import address
    from gyrus.datasets import datasets_at
    from gyrus.phantom import generate as draw_all

    target = address(to or str(settings_of(home).datasets))
    with datasets_at(target, name) as datasets, _counting("Drawing", quiet=as_json) as count:
        dataset = draw_all(
            datasets,
            name=name,
            patients=patients,
            slices=slices,
            seed=seed,
            progress=count,
        )
    _show(dataset, as_json)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder or .zip of class folders, or of Training and Testing of them; "
            "s3://bucket/path of such; or kaggle:owner/dataset."
        ),
    ],
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    to: To = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Read class folders of images (JPEG, PNG, TIFF, BMP, DICOM) into a dataset."""
    from gyrus.addresses import address
    from gyrus.datasets import datasets_at, import_folder
    from gyrus.datasets.sources import source_folder

    target = address(to or str(settings_of(home).datasets))
    with (
        datasets_at(target, name) as datasets,
        source_folder(source) as folder,
        _counting("Reading", quiet=as_json) as count,
    ):
        dataset = import_folder(folder, datasets, name, progress=count)
    _show(dataset, as_json)


@app.command()
def merge(
    name: Annotated[str, typer.Argument(help="The new dataset's name.")],
    parts: Annotated[list[str], typer.Argument(help="The datasets that it is made of.")],
    to: To = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make one dataset of several, whose images then train and test one model."""
    from gyrus.addresses import address
    from gyrus.datasets import Dataset, datasets_at
    from gyrus.datasets import merge as merge_all

    own = settings_of(home).datasets
    opened = [Dataset.open(own / part) for part in parts]
    target = address(to or str(own))
    with datasets_at(target, name) as datasets, _counting("Merging", quiet=as_json) as count:
        dataset = merge_all(opened, datasets, name, progress=count)
    _show(dataset, as_json)


@app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the datasets."""
    from gyrus.datasets import list_datasets

    rows = [_row(dataset) for dataset in list_datasets(settings_of(home).datasets)]
    if as_json:
        print_json(rows)
    elif rows:
        names = ("classes", "tumour_classes")
        print_table([{**row, **{name: ", ".join(row[name]) for name in names}} for row in rows])
    else:
        print("There is no dataset. Make one with `gyrus data generate` or `gyrus data import`.")


@contextmanager
def _counting(message: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A callback that shows how many images are done."""
    if quiet:
        yield None
        return
    from gyrus.cli.display import Display

    with Display() as display:
        yield lambda done, of: display.count(message, done, of)


def _show(dataset: "Dataset", as_json: bool) -> None:
    row = _row(dataset)
    if as_json:
        print_json(row)
    else:
        healthy = [name for name in dataset.classes if name not in dataset.tumour_classes]
        print(f"{row['name']}: {row['images']} images")
        print(f"  tumour: {', '.join(dataset.tumour_classes) or 'no class'}")
        print(f"  without tumour: {', '.join(healthy) or 'no class'}")
        if dataset.refused:
            first = dataset.refused[0]
            print(f"  refused: {len(dataset.refused)}, {first.source} first: {first.reason}")


def _row(dataset: "Dataset") -> dict[str, Any]:
    return {
        "name": dataset.name,
        "images": sum(sum(labels.values()) for labels in dataset.counts.values()),
        "classes": list(dataset.classes),
        "tumour_classes": list(dataset.tumour_classes),
        "refused": len(dataset.refused),
        "synthetic": dataset.synthetic,
        "digest": dataset.digest[:12],
    }
