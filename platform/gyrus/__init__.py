"""What every part of Gyrus shares: imaging, datasets, bundles, registry, launching, CLI."""

__version__ = "0.1.0"
