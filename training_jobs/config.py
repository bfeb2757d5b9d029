"""What a training run is asked to do."""

from upath import UPath

from gyrus.addresses import Address
from gyrus.recipe import Recipe, RunName


class TrainConfig(Recipe):
    """A recipe, and where; written into the run's folder as `config.json`, from where it resumes.

    `dataset` is a dataset's folder, `storage` the folder of runs, `weights` may be a file: each of
    them a path or an address. `job` is the id of what began the run, if it has one.
    """

    run: RunName
    dataset: Address
    storage: Address
    job: str = ""

    @property
    def folder(self) -> UPath:
        """The run's own folder."""
        return self.storage / self.run

    @property
    def pretrained(self) -> bool:
        """Whether the base starts from weights that were trained elsewhere."""
        return self.model != "cnn" and self.weights != "none"
