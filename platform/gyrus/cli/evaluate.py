"""`gyrus evaluate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from gyrus.cli.options import AsJson, Home, print_json, print_table, settings_of
from gyrus.errors import InputError

if TYPE_CHECKING:
    from gyrus.evaluation.report import Report

COLUMNS = ("sensitivity", "specificity", "auroc")
"""What is told of classes and sources; `--json` has it all."""


def evaluate(
    version: Annotated[int, typer.Argument(help="The model's version; see `models list`.")],
    dataset: Annotated[str, typer.Option(help="The dataset's name; see `data list`.")],
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Also if what the model learnt from is not here."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say how good a model is on all of a dataset, but for images that it may have learnt from."""
    from rich.console import Console

    from gyrus.bundle import ONNX
    from gyrus.cli.display import Display
    from gyrus.datasets import Dataset
    from gyrus.evaluation.report import evaluate_version
    from gyrus.evaluation.seen import find_trained
    from gyrus.registry import Registry, be_impatient

    settings = settings_of(home)
    opened = Dataset.open(settings.datasets / dataset)
    be_impatient()
    registry = Registry(settings.registry_uri, settings.home)
    model = registry.get(version)
    trained = find_trained(model.card, settings)
    if trained is None and not unchecked:
        raise InputError(
            f"Model version {version} was trained on {model.card.dataset}, which is not here as it "
            "was then: nobody can say which images it knows. Bring that dataset here, or say "
            "--unchecked if you are sure."
        )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with registry.fetched(model) as bundle, Display(console) as display:
        display.stage("Looking for images that the model knows")
        report = evaluate_version(
            model,
            bundle / ONNX,
            opened,
            trained,
            progress=lambda done, of: display.count("Evaluating", done, of),
        )
    for line in _warnings(report):
        console.print(f"gyrus: {line}", markup=False)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _show(report)


def _warnings(report: "Report") -> list[str]:
    if report.seen is None:
        return [
            "Nobody looked whether the model was trained on these images or on copies of them: "
            "the figures may be too good."
        ]
    if report.seen:
        return [
            f"{report.seen} images were left out: the model may have learnt from them, or from "
            "copies of them."
        ]
    return []


def _show(report: "Report") -> None:
    tumour = report.evaluation.tumour
    print(
        f"Model version {report.version} ({report.architecture}) on {report.dataset}: "
        f"{tumour.images} images in {tumour.groups} groups"
    )
    for name, one in tumour.estimates().items():
        print(f"  {name:<18} {one.describe()}")
    for title, blocks in (
        ("class", report.evaluation.classes),
        ("source", report.evaluation.sources),
    ):
        if blocks:
            print()
            print_table(
                [
                    {title: name, "images": one.images, **one.described(COLUMNS)}
                    for name, one in blocks.items()
                ]
            )
    if report.evaluation.heatmaps:
        print()
        print_table(
            [
                {
                    "tumour": name,
                    "images": one.images,
                    "pointing": one.pointing.describe(),
                    "energy": one.energy.describe(),
                }
                for name, one in report.evaluation.heatmaps.items()
            ]
        )
