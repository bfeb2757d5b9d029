"""`gyrus data`."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyrus.cli.options import AsJson, Home, print_json, print_table, settings_of
from gyrus.errors import InputError

if TYPE_CHECKING:
    from gyrus.datasets import Dataset
    from gyrus.datasets.report import Report

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

    settings = settings_of(home)
    target = address(to or str(settings.datasets))
    with (
        datasets_at(target, name) as datasets,
        source_folder(source) as folder,
        _counting("Reading", quiet=as_json) as count,
    ):
        dataset = import_folder(folder, datasets, name, home=settings.home, progress=count)
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


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The page's file; NAME-report.html if not given.", dir_okay=False),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say what a dataset holds and gives away: counts, copies, contradictions, shortcuts."""
    from gyrus.cli.display import Display
    from gyrus.datasets import Dataset
    from gyrus.datasets.report import report_on
    from gyrus.datasets.report_page import render
    from gyrus.files import write_whole

    dataset = Dataset.open(settings_of(home).datasets / name)
    page = (output or Path(f"{name}-report.html")).resolve()  # a link is followed, not replaced
    special = page.exists() and not page.is_file()
    if special or not page.parent.is_dir() or not os.access(page.parent, os.W_OK):
        raise InputError(f"{page} cannot be written: name a file in a folder that is yours.")
    with nullcontext() if as_json else Display() as display:
        found = report_on(dataset, display.stage if display else None)
    mode = page.stat().st_mode & 0o777 if page.exists() else 0o666
    write_whole(page, render(found, dataset), mode=mode)
    if as_json:
        print_json({**found.model_dump(), "page": page})
    else:
        _tell(found)
        print(f"The page with pictures: {page}")


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
        if row["left_out"]:
            print(f"  left out: {row['left_out']}, copies with labels that contradict each other")
            print(f"  they are listed by `gyrus data report {row['name']}`")
        if dataset.refused:
            first = dataset.refused[0]
            print(f"  refused: {len(dataset.refused)}, {first.source} first: {first.reason}")


def _row(dataset: "Dataset") -> dict[str, Any]:
    return {
        "name": dataset.folder.name,  # by which it opens, also where it was copied or renamed
        "images": dataset.manifest.num_rows,
        "classes": list(dataset.classes),
        "tumour_classes": list(dataset.tumour_classes),
        "refused": len(dataset.refused),
        "left_out": dataset.column("split").count("left_out"),
        "synthetic": dataset.synthetic,
        "digest": dataset.digest[:12],
    }


def _tell(report: "Report") -> None:
    """Print what a report says, but for the pictures."""
    print(f"{report.name}: {report.images} images in {report.groups} groups")
    print_table(
        [
            {"source": one.source, "label": one.label, "images": one.images, "groups": one.groups}
            | {split.replace("_", " "): images for split, images in one.splits.items()}
            for one in report.counts
        ]
    )
    copies = report.copies
    print(
        f"copies: {copies.beyond_one} images, in {copies.sets} sets; {copies.equal_files} of them "
        "are equal files"
    )
    for one in [*report.folders, *report.sources]:
        print(
            f"  {one.shared} of {one.images} images of {one.part} also stand in {one.other}, "
            f"{one.equal_files} as equal files; {one.grouped} with their neighbouring slices"
        )
    print(f"copies with labels that contradict each other: {len(report.contradictions)} sets")
    for images in report.contradictions:
        print("  " + ", ".join(f"{image.file} ({image.label})" for image in images))
    for probe in report.probes:
        known = {"files": "the file", "border": "the border"}[probe.knows]
        figure = probe.auroc.describe() if probe.auroc else "cannot be told of so little"
        print(f"tumour or not by {known} alone, {probe.source or 'all'}: AUROC {figure}")
