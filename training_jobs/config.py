"""What a training run is asked to do."""

from pathlib import Path

from pydantic import field_validator

from gyrus.recipe import Recipe, RunName


class TrainConfig(Recipe):
    """A recipe, and where; written into the run's folder as `config.json`, from where it resumes.

    `dataset` is a dataset's folder, `storage` the folder of runs; `weights` may be a file's path.
    """

    run: RunName
    dataset: Path
    storage: Path

    @field_validator("dataset", "storage")
    @classmethod
    def _from_the_root(cls, path: Path) -> Path:
        """Workers run in other folders."""
        return path.expanduser().resolve()

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return self.storage / self.run

    @property
    def pretrained(self) -> bool:
        """Whether the base starts from weights that were trained elsewhere."""
        return self.model != "cnn" and self.weights != "none"
