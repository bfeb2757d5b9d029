import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from gyrus.bundle import ONNX, Card
from gyrus.errors import EmptyUpload, GyrusError, InvalidBundle, UnsupportedImage
from serve_app.engine import Output
from serve_app.inference import Model, ModelConfig, Prepared, answer, load, prepare
from serve_app.settings import ServeSettings


def load_from(config: ModelConfig, settings: ServeSettings, *, explain: bool) -> Model:
    return load(config, Path(config.source), settings, explain=explain)


@pytest.fixture
def model(make_bundle: Callable, settings: ServeSettings) -> Model:
    return load_from(make_bundle(7), settings, explain=True)


@pytest.fixture
def prepared(png: bytes) -> Prepared:
    return prepare(png)


def said_by(probabilities: list[float], distance: float = 1.0, cam: object = None) -> Output:
    return Output(np.array(probabilities, np.float32), distance, cam)


def test_answer_says_all_that_the_contract_names(model: Model, prepared: Prepared) -> None:
    said = answer(model, prepared, said_by([0.1, 0.2, 0.3, 0.4], 2.5), thumbnail=False)
    assert said["label"] == "pituitary"
    assert said["label_is_tumour"] is True
    assert list(said["probabilities"]) == model.card.classes
    assert said["confidence"] == pytest.approx(0.4)
    assert said["tumour_probability"] == pytest.approx(0.7)
    assert said["decision"] == "tumour"
    assert (said["threshold"], said["upper_threshold"]) == (0.5, 0.5)
    assert said["distance"] == 2.5
    assert said["model"] == {
        "version": 7,
        "digest": model.config.digest,
        "architecture": "cnn",
        "synthetic": True,
    }
    assert set(said["crop"]) == {"x", "y", "width", "height"}
    assert "cam" not in said
    assert "thumbnail" not in said


def test_label_is_a_tumour_where_the_card_says_so(model: Model, prepared: Prepared) -> None:
    said = answer(model, prepared, said_by([0.2, 0.2, 0.4, 0.2]), thumbnail=False)
    assert (said["label"], said["label_is_tumour"], said["decision"]) == (
        "notumor",
        False,
        "tumour",
    )


def test_class_name_that_cannot_be_stored_makes_no_card(model: Model) -> None:
    for name in ("", "x" * 65):
        with pytest.raises(ValidationError, match="classes"):
            Card.model_validate(model.card.model_dump() | {"classes": [name]})


def test_crop_is_the_window_of_the_upload(model: Model, prepared: Prepared) -> None:
    crop = answer(model, prepared, said_by([1, 0, 0, 0]), thumbnail=False)["crop"]
    assert crop["width"] == crop["height"]
    assert 180 < crop["width"] < 230
    assert 15 < crop["x"] < 45
    assert 35 < crop["y"] < 65


def test_image_unlike_the_training_images_is_uncertain(
    make_bundle: Callable, settings: ServeSettings, prepared: Prepared
) -> None:
    model = load_from(make_bundle(distance_limit=3.0), settings, explain=False)
    near = answer(model, prepared, said_by([0, 0, 1, 0], 2.9), thumbnail=False)
    far = answer(model, prepared, said_by([0, 0, 1, 0], 3.1), thumbnail=False)
    assert (near["decision"], far["decision"]) == ("no_tumour", "uncertain")


def test_probability_between_the_thresholds_is_uncertain(
    make_bundle: Callable, settings: ServeSettings, prepared: Prepared
) -> None:
    model = load_from(make_bundle(upper_threshold=0.8), settings, explain=False)
    tumours = {0.4: "no_tumour", 0.5: "uncertain", 0.7: "uncertain", 0.9: "tumour"}
    for tumour, decision in tumours.items():
        said = answer(model, prepared, said_by([tumour, 0, 1 - tumour, 0]), thumbnail=False)
        assert said["decision"] == decision
        assert (said["threshold"], said["upper_threshold"]) == (0.5, 0.8)


def test_map_travels_as_float16_with_its_greatest_value_at_one(
    model: Model, prepared: Prepared
) -> None:
    cam = np.random.default_rng(0).random((4, 7, 7), np.float32) * 1e-7
    said = answer(model, prepared, said_by([1, 0, 0, 0], cam=cam), thumbnail=False)["cam"]
    values = np.frombuffer(base64.b64decode(said["data"]), "<f2").reshape(said["shape"])
    np.testing.assert_allclose(values, cam / cam.max(), atol=1e-3)


def test_map_of_nothing_stays_nothing(model: Model, prepared: Prepared) -> None:
    output = said_by([1, 0, 0, 0], cam=np.zeros((4, 7, 7), np.float32))
    said = answer(model, prepared, output, thumbnail=False)["cam"]
    assert not np.frombuffer(base64.b64decode(said["data"]), "<f2").any()


@pytest.mark.parametrize(
    "output",
    [
        said_by([np.nan, 0, 0, 0]),
        said_by([1, 0, 0, 0], np.inf),
        said_by([1, 0, 0, 0], cam=np.full((4, 7, 7), np.nan, np.float32)),
    ],
)
def test_number_that_is_not_finite_is_an_error(
    model: Model, prepared: Prepared, output: Output
) -> None:
    with pytest.raises(GyrusError, match="finite"):
        answer(model, prepared, output, thumbnail=False)


def test_thumbnail_is_what_the_model_saw(model: Model, prepared: Prepared) -> None:
    said = answer(model, prepared, said_by([1, 0, 0, 0]), thumbnail=True)
    picture = Image.open(io.BytesIO(base64.b64decode(said["thumbnail"])))
    np.testing.assert_array_equal(np.array(picture), prepared.image)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(EmptyUpload):
        prepare(b"")
    with pytest.raises(UnsupportedImage):
        prepare(b"Dear colleague, please find attached")


def test_changed_bundle_is_not_loaded(make_bundle: Callable, settings: ServeSettings) -> None:
    config = make_bundle()
    with (Path(config.source) / ONNX).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InvalidBundle, match=ONNX):
        load_from(config, settings, explain=False)


def test_another_bundle_than_the_one_named_is_not_loaded(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    other = make_bundle(2, seed=2).digest
    with pytest.raises(InvalidBundle, match="is not"):
        load_from(make_bundle(1).model_copy(update={"digest": other}), settings, explain=False)


def test_graph_with_other_classes_than_its_card_is_not_loaded(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    with pytest.raises(InvalidBundle, match="each of the 2 classes"):
        load_from(make_bundle(classes=["notumor", "tumor"]), settings, explain=False)


def test_graph_that_gives_no_numbers_is_not_loaded(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    with pytest.raises(InvalidBundle, match="no probability"):
        load_from(make_bundle(bias=float("nan")), settings, explain=False)


def test_file_that_is_no_graph_is_not_loaded(
    make_bundle: Callable, settings: ServeSettings
) -> None:
    from gyrus.bundle import read_card, seal

    config = make_bundle()
    card = read_card(Path(config.source))
    (Path(config.source) / ONNX).write_bytes(b"no graph")
    config = config.model_copy(update={"digest": seal(Path(config.source), card)})
    with pytest.raises(InvalidBundle, match="cannot be run"):
        load_from(config, settings, explain=False)
