"""Predictions: made by Ray Serve, kept here."""
