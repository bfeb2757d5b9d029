"""Every error that Gyrus raises on purpose.

GyrusError
├── InputError               what was given cannot be used (400)
│   ├── EmptyUpload          no bytes came (400)
│   ├── UnsupportedImage     not one of the formats that are read (415)
│   ├── CorruptImage         one of them, but damaged (422)
│   ├── ImageTooLarge        more pixels than are decoded (413)
│   ├── UploadTooLarge       more bytes than are read (413)
│   ├── InvalidDataset       a folder or dataset that cannot be used (422)
│   └── InvalidBundle        a model bundle that is damaged or not ours (422)
├── Unauthorized             who is asking is not known (401)
├── Forbidden                known, but not allowed (403)
├── NotFound                 no such thing, or not yours (404)
├── Conflict                 it clashes with what is there (409)
├── TooManyRequests          slow down (429)
├── NoModel                  no champion is loaded yet (503)
├── Unavailable              a part that is needed does not answer (503)
├── StorageFull              a disk, bucket or quota is full (507)
└── TrainingFailed           a training run ended without a model (500)

Each class owns its problem type, title and status, so that the API (RFC 9457), the replicas and the
command line all say the same thing about the same fault.
"""

from typing import Any, ClassVar


class GyrusError(Exception):
    """The base: an error with a sentence that says what was wrong and what to do."""

    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 problem of this error."""
        return {
            "type": f"urn:gyrus:problem:{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }


class InputError(GyrusError):
    """What was given cannot be used."""

    type = "invalid-input"
    title = "Invalid input"
    status = 400


class EmptyUpload(InputError):
    """No bytes came."""

    type = "empty-upload"
    title = "Empty upload"


class UnsupportedImage(InputError):
    """The bytes are in none of the formats that are read."""

    type = "unsupported-image"
    title = "Unsupported image format"
    status = 415


class CorruptImage(InputError):
    """The image's format is known, but it cannot be decoded."""

    type = "corrupt-image"
    title = "Corrupt image"
    status = 422


class ImageTooLarge(InputError):
    """The image has more pixels than are decoded."""

    type = "image-too-large"
    title = "Image too large"
    status = 413


class UploadTooLarge(InputError):
    """The upload has more bytes than are read."""

    type = "upload-too-large"
    title = "Upload too large"
    status = 413


class InvalidDataset(InputError):
    """A folder or dataset that cannot be used."""

    type = "invalid-dataset"
    title = "Invalid dataset"
    status = 422


class InvalidBundle(InputError):
    """A model bundle that is damaged, or was made for another preprocessing."""

    type = "invalid-bundle"
    title = "Invalid model bundle"
    status = 422


class Unauthorized(GyrusError):
    """Who is asking is not known."""

    type = "unauthorized"
    title = "Not signed in"
    status = 401


class Forbidden(GyrusError):
    """The one who asks is known, but may not."""

    type = "forbidden"
    title = "Not allowed"
    status = 403


class NotFound(GyrusError):
    """No such thing, or it belongs to someone else."""

    type = "not-found"
    title = "Not found"
    status = 404


class Conflict(GyrusError):
    """It clashes with what is there already."""

    type = "conflict"
    title = "Conflict"
    status = 409


class TooManyRequests(GyrusError):
    """The limit of requests is used up for now."""

    type = "too-many-requests"
    title = "Too many requests"
    status = 429


class NoModel(GyrusError):
    """No champion is loaded yet."""

    type = "no-model"
    title = "No model is being served"
    status = 503


class Unavailable(GyrusError):
    """A part that is needed does not answer."""

    type = "unavailable"
    title = "Temporarily unavailable"
    status = 503


class StorageFull(GyrusError):
    """A disk has no room for what must be written."""

    type = "storage-full"
    title = "Storage is full"
    status = 507


class TrainingFailed(GyrusError):
    """A training run ended without a model."""

    type = "training-failed"
    title = "Training failed"
