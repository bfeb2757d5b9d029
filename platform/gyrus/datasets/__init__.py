"""Datasets: folders of preprocessed images with a manifest, made by import or by generation."""

from gyrus.datasets.dataset import Dataset, list_datasets
from gyrus.datasets.importing import import_folder
from gyrus.datasets.merging import merge
from gyrus.datasets.remote import datasets_at, open_dataset

__all__ = ["Dataset", "datasets_at", "import_folder", "list_datasets", "merge", "open_dataset"]
