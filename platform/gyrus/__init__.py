"""What every part of Gyrus shares: imaging, datasets, bundles, the registry, launching and the CLI."""

__version__ = "0.1.0"
