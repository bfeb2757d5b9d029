"""Load for the gateway, with thresholds, and the bench."""
