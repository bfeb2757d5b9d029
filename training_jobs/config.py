"""What a training run is asked to do."""

from upath import UPath

from gyrus.addresses import Address
from gyrus.datasets import Dataset, open_dataset
from gyrus.datasets.folds import hold_out
from gyrus.recipe import Fold, Recipe, RunName
from gyrus.settings import PlatformSettings


class TrainConfig(Recipe):
    """A recipe, and where; written into the run's folder as `config.json`, from where it resumes.

    `dataset` is a dataset's folder, `storage` the folder of runs, `weights` may be a file: each of
    them a path or an address. `job` is the id of what began the run, if it has one.
    """

    run: RunName
    dataset: Address
    fold: Fold = ""
    storage: Address
    job: str = ""

    def open_dataset(self) -> Dataset:
        """The dataset, split as the run has it.

        Raises:
            InvalidDataset: it is none, or was changed.
            InputError: it has no such fold.
            NotFound, Unavailable: there is nothing, or it cannot be read.
        """
        dataset = open_dataset(self.dataset, PlatformSettings().home)
        return hold_out(dataset, self.fold, seed=self.seed) if self.fold else dataset

    @property
    def folder(self) -> UPath:
        """The run's own folder."""
        return self.storage / self.run

    @property
    def pretrained(self) -> bool:
        """Whether the base starts from weights that were trained elsewhere."""
        return self.model != "cnn" and self.weights != "none"
