"""The registered models: list, promote, roll back."""
