"""`gyrus bootstrap`."""

from gyrus.cli.models import push
from gyrus.cli.options import Home, settings_of


def bootstrap(home: Home = None) -> None:
    """Train a first model on generated images and promote it, if no model is champion yet."""
    from gyrus.cli.display import Display
    from gyrus.launch.first_model import FirstModel, describe_champion
    from gyrus.launch.local_jobs import LocalTrainings
    from gyrus.launch.signals import ending_raises
    from gyrus.registry import Registry

    settings = settings_of(home)
    with ending_raises():
        registry = Registry(settings.registry_uri, settings.home)
        champion = registry.champion()
        if champion is not None:
            print(f"Model version {champion.version} is champion already: nothing was done.")
            return
        with Display() as display:
            champion = FirstModel(settings, LocalTrainings(settings), display).make(registry)
        if champion is None:
            print(describe_champion(champion))
            return
        push(settings, champion)
        print(f"{describe_champion(champion)} It is champion now.")
