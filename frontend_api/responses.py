"""Kinds of answers, as OpenAPI should tell them."""

from fastapi import Response


class Png(Response):
    """A PNG."""

    media_type = "image/png"
