"""`gyrus models`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gyrus.cli.options import AsJson, Home, print_json, print_table, settings_of
from gyrus.errors import InputError, NotFound, Unavailable
from gyrus.settings import PlatformSettings

if TYPE_CHECKING:
    from gyrus.registry import ModelVersion, Registry

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the registered models, newest first."""
    versions = _registry(settings_of(home)).versions()
    if as_json:
        print_json([one.model_dump(mode="json") for one in versions])
    elif versions:
        print_table([_row(one) for one in versions])
    else:
        print("There is no model. Train one with `gyrus train`.")


@app.command()
def show(
    version: Annotated[
        int | None, typer.Argument(help="The version; the champion if not given.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model is, how it was made and how good it is."""
    registry = _registry(settings_of(home))
    model = registry.champion() if version is None else registry.get(version)
    if model is None:
        raise NotFound("No model is champion yet. Choose one with `gyrus models promote`.")
    if as_json:
        print_json(model.model_dump(mode="json"))
        return
    for name, value in {**_row(model), "digest": model.digest, "bundle": model.source}.items():
        print(f"{name:<14} {value}")
    tumour = model.card.metrics.tumour
    print(f"\nTumour or not, {tumour.images} test images in {tumour.groups} groups:")
    for name, figure in tumour.estimates().items():
        print(f"{name:<18} {figure.describe()}")


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="The version that is to be served.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a version champion, and give it to running replicas."""
    settings = settings_of(home)
    _check_replicas(settings, f"POST /v1/models/{version}/promote")
    _serve(settings, _registry(settings).promote(version), as_json)


@app.command()
def rollback(home: Home = None, as_json: AsJson = False) -> None:
    """Make the model champion that was it before."""
    settings = settings_of(home)
    _check_replicas(settings, "POST /v1/models/rollback")
    _serve(settings, _registry(settings).rollback(), as_json)


def _registry(settings: PlatformSettings) -> "Registry":
    from gyrus.registry import Registry, be_impatient

    be_impatient()
    return Registry(settings.registry_uri, settings.home)


def _check_replicas(settings: PlatformSettings, request: str) -> None:
    """Refuse to change the champion of a cluster: its replicas serve what its gateway named."""
    from gyrus.launch.instance import RunFolder

    is_server = settings.registry_uri.startswith(("http:", "https:"))
    if is_server and RunFolder(settings.home).running() is None:
        raise InputError(
            f"{settings.registry_uri} may have replicas elsewhere, which may not hear of it: "
            f"send `{request}` to their gateway. For replicas on this machine start `gyrus up` "
            "first."
        )


def _serve(settings: PlatformSettings, model: "ModelVersion", as_json: bool) -> None:
    """Push the new champion to the replicas, if there are any, and say so."""
    served = push(settings, model)
    if as_json:
        print_json({**model.model_dump(mode="json"), "served": served})
        return
    when = "it is being served" if served else "it is served from the next `gyrus up` on"
    print(f"Version {model.version} is champion; {when}.")
    if model.card.synthetic:
        print("It was trained on generated images only: it shows how Gyrus works, no more.")


def push(settings: PlatformSettings, model: "ModelVersion") -> bool:
    """Have the new champion served by this machine's replicas; says whether there are any.

    Raises:
        Unavailable: they did not take it.
    """
    from gyrus.launch.instance import RunFolder
    from gyrus.launch.serving import ServeClient

    folder = RunFolder(settings.home)
    instance = folder.running()
    if instance is None:
        return False
    try:
        token, secret = folder.ray_token.read_text(), folder.serve_secret.read_text()
        with ServeClient(instance.serve_api, token, secret=secret) as serve:
            serve.push(model)
    except Unavailable as error:
        raise Unavailable(
            f"Version {model.version} is champion now, but the replicas did not take it: "
            f"{error.detail}"
        ) from error
    return True


def _row(model: "ModelVersion") -> dict[str, Any]:
    auroc = model.card.metrics.tumour.auroc
    return {
        "version": model.version,
        "champion": "yes" if model.champion else "",
        "architecture": model.card.architecture,
        "dataset": model.card.dataset,
        "generated": "yes" if model.card.synthetic else "no",
        "test AUROC": "" if auroc is None else f"{auroc.value:.3f}",
        "created": model.created_at.strftime("%Y-%m-%d %H:%M"),
        "run": model.card.run,
    }
