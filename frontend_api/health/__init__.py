"""Whether the gateway lives, and whether Gyrus is ready to predict."""
