"""How good a model is: calibration, thresholds, figures with intervals, plots."""
