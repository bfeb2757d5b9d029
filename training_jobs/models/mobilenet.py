"""MobileNetV2 (Sandler et al. 2018) under the shared head."""

import keras

from gyrus.imaging import SIZE
from training_jobs.models.head import attach_head
from training_jobs.models.pretrained import prepare_base


def build_mobilenet(
    classes: int, alpha: float, weights: str | None, *, frozen: bool
) -> keras.Model:
    """Build MobileNetV2 of width `alpha`; the feature map is 7×7, that before it 14×14.

    With `frozen`, only the layers from block 6 on train, which make maps of 14×14 and 7×7, and
    batch normalisation stays in inference mode.
    """
    images = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    x = keras.layers.Concatenate()([x, x, x])
    base = keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha=alpha, include_top=False, weights=weights
    )
    prepare_base(base, frozen=frozen, first_trained="block_6")
    features = base(x, training=False) if frozen else base(x)
    return attach_head(images, features, classes, "mobilenetv2")
