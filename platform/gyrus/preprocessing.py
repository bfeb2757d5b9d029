"""What is known of `gyrus.imaging` to those who decode nothing themselves: limits and a name."""

SIZE = 224
"""Rows and columns of what the model sees."""

PREPROCESSING = {"name": "head-square-224", "version": 1, "size": SIZE, "blur": 3}
"""Written into every model card; a replica refuses a bundle with another one."""

MAX_UPLOAD = 20 * 1024 * 1024
"""Bytes of one encoded image that gateway and replicas read, unless a setting says otherwise."""
