"""Predict, look back, draw, delete: only one's own."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.datastructures import UploadFile

from frontend_api.dependencies import CurrentUser, Gateway
from frontend_api.heatmap import ColorMap
from frontend_api.predictions.schemas import PredictionOut, PredictionPage
from frontend_api.problems import documented
from frontend_api.responses import Png
from gyrus.errors import (
    Conflict,
    CorruptImage,
    EmptyUpload,
    ImageTooLarge,
    InputError,
    NoModel,
    NotFound,
    Unauthorized,
    Unavailable,
    UnsupportedImage,
    UploadTooLarge,
)

router = APIRouter(prefix="/v1/predictions", tags=["predictions"])

PredictionId = Annotated[str, Path(max_length=64)]

# The form is read in the endpoint, so that nobody who is not signed in can make us read it.
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "One MR slice: JPEG, PNG, TIFF, BMP or DICOM.",
                        }
                    },
                }
            }
        },
    }
}

REPLAYED: dict[int | str, dict[str, Any]] = {
    200: {"model": PredictionOut, "description": "Made before, under the same key"}
}


@router.post(
    "",
    status_code=201,
    openapi_extra=UPLOAD,
    responses=REPLAYED
    | documented(
        InputError,
        EmptyUpload,
        Unauthorized,
        Conflict,
        UploadTooLarge,
        ImageTooLarge,
        UnsupportedImage,
        CorruptImage,
        NoModel,
        Unavailable,
    ),
)
async def predict(
    user: CurrentUser,
    gateway: Gateway,
    request: Request,
    response: Response,
    explain: Annotated[bool, Query(description="Keep what a heatmap needs.")] = False,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> PredictionOut:
    """Predict from one image. The image itself is not kept; what the model saw of it is."""
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InputError("Send the image as the file `file` of a multipart form.")
        # Until here it lay on disk, so that who sends slowly takes nobody's room.
        async with gateway.predictions.room():
            row, new = await gateway.predictions.predict(
                user.id, await file.read(), explain=explain, key=idempotency_key
            )
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/predictions/{row.id}"
    return PredictionOut.of(row)


@router.get("", responses=documented(InputError, Unauthorized))
async def history(
    user: CurrentUser,
    gateway: Gateway,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> PredictionPage:
    """My predictions, newest first."""
    rows, next_cursor = await gateway.predictions.page(user.id, limit, cursor)
    return PredictionPage(items=[PredictionOut.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/{prediction_id}", responses=documented(Unauthorized, NotFound))
async def get(user: CurrentUser, gateway: Gateway, prediction_id: PredictionId) -> PredictionOut:
    """One of my predictions."""
    return PredictionOut.of(await gateway.predictions.get(user.id, prediction_id))


@router.delete("/{prediction_id}", status_code=204, responses=documented(Unauthorized, NotFound))
async def delete(user: CurrentUser, gateway: Gateway, prediction_id: PredictionId) -> None:
    """Delete one of my predictions, with its pictures."""
    await gateway.predictions.delete(user.id, prediction_id)


@router.get(
    "/{prediction_id}/image.png",
    response_class=Png,
    responses=documented(Unauthorized, NotFound),
)
async def image(user: CurrentUser, gateway: Gateway, prediction_id: PredictionId) -> Png:
    """What the model saw: 224 by 224 pixels, gray."""
    return Png(await gateway.predictions.image(user.id, prediction_id))


@router.get(
    "/{prediction_id}/heatmap.png",
    response_class=Png,
    responses=documented(InputError, Unauthorized, NotFound),
)
async def heatmap(
    user: CurrentUser,
    gateway: Gateway,
    prediction_id: PredictionId,
    class_name: Annotated[
        str | None, Query(alias="class", max_length=64, description="The label, if not given.")
    ] = None,
    opacity: Annotated[float, Query(ge=0, le=1)] = 0.5,
    colormap: ColorMap = "inferno",
) -> Png:
    """Where the model looked, over what it saw; `gray` at opacity 1 is the bare map."""
    return Png(
        await gateway.predictions.heatmap(user.id, prediction_id, class_name, opacity, colormap)
    )
