"""What runs inside a Ray Train job: data, models, loop, evaluation and export."""
