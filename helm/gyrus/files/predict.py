"""What `helm test` runs: sign in, upload a drawn image, look at the answer and at the heatmap."""

import os
import sys
import time

import httpx

from gyrus.imaging import encode_png
from gyrus.phantom import draw

NO_MODEL = "urn:gyrus:problem:no-model"


def main() -> int:
    """Return 0 when Gyrus answers as it should."""
    image = encode_png(draw("glioma")[0])
    deadline = time.monotonic() + float(os.environ["GYRUS_SECONDS"])
    with httpx.Client(base_url=os.environ["GYRUS_URL"], timeout=90, trust_env=False) as gateway:
        sign_in(gateway, deadline)
        answer = predict(gateway, image, deadline)
        if answer.status_code != 201:
            print(answer.text)
            is_fresh = answer.json()["type"] == NO_MODEL
            return 0 if is_fresh and os.environ["GYRUS_REQUIRE_MODEL"] == "false" else 1
        prediction = answer.json()
        print(prediction["label"], prediction["probabilities"])
        heatmap = gateway.get(prediction["links"]["heatmap"]).raise_for_status()
        gateway.delete(prediction["links"]["self"]).raise_for_status()
        return 0 if heatmap.content.startswith(b"\x89PNG") else 1


def sign_in(gateway: httpx.Client, deadline: float) -> None:
    """Sign in as administrator, as soon as there are gateways."""
    form = {"username": os.environ["GYRUS_ADMIN_EMAIL"]}
    form["password"] = os.environ["GYRUS_ADMIN_PASSWORD"]
    while True:
        try:
            answer = gateway.post("/v1/token", data=form)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        else:
            if answer.status_code != 503 or time.monotonic() > deadline:
                token = answer.raise_for_status().json()["access_token"]
                gateway.headers["Authorization"] = f"Bearer {token}"
                return
        time.sleep(2)


def predict(gateway: httpx.Client, image: bytes, deadline: float) -> httpx.Response:
    """The answer to an image, as soon as there are replicas."""
    while True:
        answer = gateway.post("/v1/predictions?explain=true", files={"file": image})
        starting = answer.status_code == 503 and answer.json()["type"] != NO_MODEL
        if not starting or time.monotonic() > deadline:
            return answer
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
