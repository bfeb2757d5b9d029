"""`python -m frontend_api.openapi` writes the API's description to frontend_api/openapi.json."""

import json
from pathlib import Path

from pydantic import SecretStr

from frontend_api.app import create_app
from frontend_api.settings import GatewaySettings

FILE = Path(__file__).parent / "openapi.json"


def document() -> str:
    """The OpenAPI document as it is committed."""
    app = create_app(GatewaySettings(serve_secret=SecretStr("not-used-to-describe-the-API")))
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document())
