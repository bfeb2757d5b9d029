"""The one `gyrus up` of a home: its lock, and where its parts are reached.

The lock is a file lock, so a file that was left behind can never block a start.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from gyrus.errors import Conflict
from gyrus.files import write_whole
from gyrus.locks import hold, is_held


class Instance(BaseModel):
    """A running `gyrus up`. `mark` stands in the environment of all that it started."""

    mark: str
    pid: int
    port: int
    url: str
    serve_url: str
    serve_api: str
    ray_address: str
    ray_folder: Path


class RunFolder:
    """The folder of what lives as long as `gyrus up` does: `<home>/run`, readable by its owner."""

    def __init__(self, home: Path) -> None:
        self.path = home / "run"
        self.lock = self.path / "lock"
        self.instance = self.path / "instance.json"
        self.status = self.path / "status.json"
        self.serve_secret = self.path / "serve-secret"
        self.ray_token = self.path / "ray-token"

    def read(self) -> Instance | None:
        """What stands there, of a running instance or of one that was killed."""
        try:
            return Instance.model_validate_json(self.instance.read_bytes())
        except (OSError, ValidationError):
            return None

    def write(self, instance: Instance) -> None:
        """Say where the parts are reached."""
        write_whole(self.instance, instance.model_dump_json(indent=2) + "\n")

    def is_running(self) -> bool:
        """Whether someone holds the lock now."""
        return is_held(self.lock)

    def running(self) -> Instance | None:
        """The running instance, or None."""
        return self.read() if self.is_running() else None

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the lock, and remove what only a running instance has at the end.

        Raises:
            Conflict: another process holds it.
        """
        for folder in (self.path.parent, self.path):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # another command may have made it, open to all
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.lock))
            except Conflict as error:
                raise Conflict(self._taken()) from error
            try:
                yield
            finally:
                for path in (self.instance, self.status, self.serve_secret, self.ray_token):
                    path.unlink(missing_ok=True)

    def _taken(self) -> str:
        instance = self.read()
        where = f" at {instance.url} (process {instance.pid})" if instance else ""
        return f"Gyrus is already running{where}. Stop it with `gyrus down`, or use another --home."
