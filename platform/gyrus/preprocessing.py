"""The name of what `gyrus.imaging` does, for those who compare it and decode nothing themselves."""

SIZE = 224
"""Rows and columns of what the model sees."""

PREPROCESSING = {"name": "head-square-224", "version": 1, "size": SIZE, "blur": 3}
"""Written into every model card; a replica refuses a bundle with another one."""
