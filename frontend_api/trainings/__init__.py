"""Training jobs: start, list, follow, cancel."""
