"""Datasets: folders of preprocessed images with a manifest, made by import or by generation."""

from gyrus.datasets.dataset import Dataset, list_datasets
from gyrus.datasets.importing import import_folder

__all__ = ["Dataset", "import_folder", "list_datasets"]
