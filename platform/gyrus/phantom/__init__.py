"""Generated patients: axial head phantoms with and without tumours; nothing is downloaded."""

from gyrus.phantom.generate import CLASSES, draw, generate

__all__ = ["CLASSES", "draw", "generate"]
