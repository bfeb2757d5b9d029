"""What a training run is asked to do."""

from upath import UPath

from gyrus.addresses import Address
from gyrus.datasets import Dataset, open_dataset
from gyrus.datasets.folds import hold_out
from gyrus.errors import InvalidDataset
from gyrus.recipe import Fold, Recipe, RunName
from gyrus.settings import PlatformSettings

NOTED = frozenset({"digest", "begun"})
"""What a run notes when it begins, and nobody asks for."""


class TrainConfig(Recipe):
    """A recipe, and where; written into the run's folder as `config.json`, from where it resumes.

    `dataset` is a dataset's folder, `storage` the folder of runs, `weights` may be a file: each of
    them a path or an address. `begun` is when the run began, `digest` the dataset's since then,
    `job` the id of what began it, if it has one.
    """

    run: RunName
    dataset: Address
    fold: Fold = ""
    storage: Address
    digest: str = ""
    begun: str = ""
    job: str = ""

    def open_dataset(self) -> Dataset:
        """The dataset, split as the run has it.

        Raises:
            InvalidDataset: it is none, or not the one that the run began on.
            InputError: it has no such fold.
            NotFound, Unavailable: there is nothing, or it cannot be read.
        """
        dataset = open_dataset(self.dataset, PlatformSettings().copies)
        if self.digest not in {"", dataset.digest}:
            raise InvalidDataset(
                f"{self.dataset} is another dataset than the run {self.run} began on: it may have "
                "seen what is tested on now. Start another run."
            )
        return hold_out(dataset, self.fold, seed=self.seed) if self.fold else dataset

    @property
    def folder(self) -> UPath:
        """The run's own folder."""
        return self.storage / self.run

    @property
    def pretrained(self) -> bool:
        """Whether the base starts from weights that were trained elsewhere."""
        return self.model != "cnn" and self.weights != "none"
