"""`gyrus predict`."""

import csv
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyrus.cli.options import Home, print_json, settings_of
from gyrus.errors import InputError, Unavailable

if TYPE_CHECKING:
    from gyrus.batch import Classified
    from gyrus.client import ReplicaClient

SYNTHETIC = "Trained on generated images only: this shows how Gyrus works, no more."

COLUMNS = ("file", "decision", "label", "confidence", "tumour_probability", "version", "error")


def predict(
    path: Annotated[
        Path, typer.Argument(help="JPEG, PNG, TIFF, BMP or DICOM, or a folder of them.")
    ],
    home: Home = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; of a folder a line for each file.")
    ] = False,
) -> None:
    """Classify an image, or all in a folder (as CSV), with the running replicas.

    Nothing is kept of them. Files that are no images are listed with the reason, and the exit code
    is then 1.
    """
    from gyrus.client import ReplicaClient
    from gyrus.launch.instance import RunFolder

    files = None
    if path.is_dir():
        from gyrus.batch import images_below

        files = images_below(path)
    else:
        try:
            image = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    folder = RunFolder(settings_of(home).home)
    instance = folder.running()
    if instance is None:
        raise Unavailable("Gyrus is not running here. Start it with `gyrus up`.")
    with ReplicaClient(instance.serve_url, secret=folder.serve_secret.read_text()) as replica:
        if files is None:
            _show(replica.classify(image), as_json)
        else:
            _all(replica, path, files, as_json)


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    model = answer["model"]
    ranked = sorted(answer["probabilities"].items(), key=lambda one: -one[1])
    print(f"{answer['decision'].replace('_', ' ')}: most likely {answer['label']}")
    for name, probability in ranked:
        print(f"  {name:<14} {probability:6.1%}")
    lower, upper = answer["threshold"], answer["upper_threshold"]
    called = f"called no tumour below {lower:.1%} only, a tumour from {upper:.1%}"
    tumour = answer["tumour_probability"]
    print(f"  {'any tumour':<14} {tumour:6.1%}, {called}")
    if answer["decision"] == "uncertain" and not lower <= tumour < upper:
        print("This image is unlike those that the model was trained on.")
    print(f"model version {model['version']} ({model['architecture']}). Not a medical device.")
    if model["synthetic"]:
        print(SYNTHETIC)


def _all(replica: "ReplicaClient", folder: Path, files: list[Path], as_json: bool) -> None:
    from rich.console import Console

    from gyrus.batch import classify_all
    from gyrus.cli.display import Display

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    decisions: Counter[str] = Counter()
    synthetic = False
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    if not as_json:
        table.writeheader()
    with (
        Display(console) as display,
        closing(classify_all(folder, files, replica.classify)) as results,
    ):
        for done, one in enumerate(results, start=1):
            decisions[one.answer["decision"] if one.answer else "failed"] += 1
            synthetic |= bool(one.answer and one.answer["model"]["synthetic"])
            if as_json:
                print(one.model_dump_json(), flush=True)
            else:
                table.writerow(_row(one))
            display.count("Classifying", done, len(files))
    said = ", ".join(f"{count} {name}" for name, count in sorted(decisions.items()))
    console.print(f"{len(files)} files: {said}. Not a medical device.", markup=False)
    if synthetic:
        console.print(SYNTHETIC)
    if decisions["failed"]:
        raise typer.Exit(1)


def _row(one: "Classified") -> dict[str, Any]:
    answer = one.answer or {}
    known = {name: answer[name] for name in COLUMNS if name in answer}
    version = answer["model"]["version"] if answer else ""
    return {"file": one.file, **known, "version": version, "error": one.error}
