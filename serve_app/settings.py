"""How a replica serves: the settings of the Serve applications."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gyrus.preprocessing import MAX_UPLOAD
from gyrus.settings import ServeSecrets

Runtime = Literal["auto", "openvino", "onnxruntime"]
Precision = Literal["f32", "bf16"]


class ServeSettings(BaseSettings):
    """Settings of replicas, read from `GYRUS_SERVE_…` environment variables.

    | key | what |
    |---|---|
    | `secret` | bearer secrets, separated by white space; any is accepted; there is no default |
    | `runtime` | `openvino`, `onnxruntime`, or `auto`: OpenVINO where it is installed |
    | `precision` | of OpenVINO: `f32`; `bf16` is faster and less exact |
    | `threads` | processor threads of one engine; 0 lets the runtime choose |
    | `max_batch` | images in one pass of the engine |
    | `batch_wait_s` | how long the first image of a batch waits for others |
    | `concurrent_batches` | passes of the engine at the same time |
    | `max_ongoing_requests` | requests that one replica holds at the same time |
    | `max_upload` | bytes of one image, encoded |
    | `decoders` | images decoded at the same time; each may take 0.3 GB for a moment |
    | `num_cpus` | what a replica reserves of Ray's logical processors |
    | `min_replicas`, `max_replicas` | bounds of the autoscaling of each application |

    bf16 is not what was calibrated: on 64 real images the probabilities of a fine-tuned MobileNetV2
    moved by up to 0.15, and one of its maps correlated with the exact one at 0.81 only.
    """

    model_config = SettingsConfigDict(
        env_prefix="GYRUS_SERVE_", extra="ignore", hide_input_in_errors=True
    )

    secret: ServeSecrets
    runtime: Runtime = "auto"
    precision: Precision = "f32"
    threads: int = Field(default=0, ge=0)
    max_batch: int = Field(default=8, ge=1)
    batch_wait_s: float = Field(default=0.005, ge=0)
    concurrent_batches: int = Field(default=1, ge=1)
    max_ongoing_requests: int = Field(default=16, ge=1)
    max_upload: int = Field(default=MAX_UPLOAD, ge=1)
    decoders: int = Field(default=1, ge=1)
    num_cpus: float = Field(default=0.25, gt=0)
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=1, ge=1)

    @property
    def secrets(self) -> list[str]:
        """The secrets that are accepted."""
        return self.secret.get_secret_value().split()

    @model_validator(mode="after")
    def _batches_can_fill(self) -> Self:
        needed = self.max_batch * self.concurrent_batches
        if self.max_ongoing_requests < needed:
            raise ValueError(
                f"max_ongoing_requests is {self.max_ongoing_requests}, but to fill, "
                f"{self.concurrent_batches} × {self.max_batch} images need at least {needed}"
            )
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas is {self.max_replicas}, less than min_replicas, {self.min_replicas}"
            )
        return self
