"""`python -m training_jobs`: one run, its progress as JSON lines on standard output."""

import argparse
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

# Read when Ray, TensorFlow and MLflow are imported, and by the workers that inherit them.
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# So soon the loss of a worker, and the end, are noticed; and a node that says that it goes.
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
os.environ.setdefault("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if not os.environ.get("RAY_ADDRESS"):
    # Ray of our own, then: only so does it bind loopback alone.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

from pydantic import ValidationError

from gyrus.addresses import address, room
from gyrus.errors import Conflict, GyrusError, InputError, NotFound, StorageFull
from gyrus.progress import Progress
from gyrus.recipe import wrong_option
from training_jobs.config import NOTED, TrainConfig

BAD_INPUT = 2
STOPPED = 128 + signal.SIGTERM


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is left out keeps `TrainConfig`'s default."""
    parser = argparse.ArgumentParser(prog="python -m training_jobs", description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name")
    parser.add_argument("--storage", required=True, help="the folder of runs, or its address")
    parser.add_argument("--resume", action="store_true", help="go on with a run, as it was asked")
    parser.add_argument(
        "--resume-if-exists",
        action="store_true",
        help="go on with the run if it was started before, just so",
    )
    for name, field in TrainConfig.model_fields.items():
        if name not in NOTED | {"run", "storage"}:
            kind = field.annotation if field.annotation in {int, float} else str
            flag = f"--{name.replace('_', '-')}"
            parser.add_argument(flag, type=kind, default=argparse.SUPPRESS)  # type: ignore[arg-type]
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None, lines: TextIO) -> int:
    """Run, with a line an event on `lines`.

    Returns 0, 1 when the training failed, 2 when what was asked cannot be done, and 143 when a
    signal stopped it.
    """
    given = parse(arguments)

    def tell(event: Progress) -> None:
        # What a full disk does not take is kept, and written with the next.
        with suppress(StorageFull), room():
            print(event.model_dump_json(), file=lines, flush=True)

    def fail(message: str, code: int) -> int:
        tell(Progress(run=given.run, kind="failed", message=message))
        return code

    try:
        config = _config(given)
        import tensorflow as tf

        # They are the workers': TensorFlow would take all of their memory here.
        tf.config.set_visible_devices([], "GPU")
        from training_jobs.run import begun_before, execute, prepare

        begun = config if given.resume else None
        if given.resume_if_exists and not given.resume:
            begun = begun_before(config)
        if not execute(begun or prepare(config), tell, resumed=begun is not None):
            return STOPPED
    except ValidationError as error:
        return fail(wrong_option(error), BAD_INPUT)
    except (InputError, NotFound, Conflict) as error:
        return fail(error.detail, BAD_INPUT)
    except GyrusError as error:
        return fail(error.detail, 1)
    except Exception as error:  # so that who follows hears of it; the log has it in full
        fail(" ".join(f"{type(error).__name__}: {error}".split()), 1)
        raise
    return 0


def _config(given: argparse.Namespace) -> TrainConfig:
    asked: dict[str, Any] = {k: v for k, v in vars(given).items() if not k.startswith("resume")}
    if not given.resume:
        return TrainConfig.model_validate(asked)
    from training_jobs.run import load_config

    return load_config(address(given.storage), given.run)


if __name__ == "__main__":
    if not os.environ.get("RAY_ADDRESS"):
        # Other users of this machine reach the loopback of our own Ray, too.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray and TensorFlow write to standard output too: it is kept for progress alone.
    with os.fdopen(os.dup(1), "w") as progress:
        os.dup2(2, 1)
        sys.exit(main(None, progress))
