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
    base = _base(1, alpha, None)
    if weights is not None:
        first, *others = _base(3, alpha, weights).get_weights()
        # Three equal channels come to one, under the sum of their kernels.
        base.set_weights([first.sum(axis=2, keepdims=True), *others])
    prepare_base(base, frozen=frozen, first_trained="block_6")
    return attach_head(images, base(x), classes, "mobilenetv2")


def _base(channels: int, alpha: float, weights: str | None) -> keras.Model:
    return keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, channels), alpha=alpha, include_top=False, weights=weights
    )
