"""ResNet50 (He et al. 2015) under the shared head."""

import keras

from gyrus.imaging import SIZE
from training_jobs.models.head import attach_head
from training_jobs.models.pretrained import prepare_base

CHANNEL_MEANS = (103.939, 116.779, 123.68)
"""ImageNet's channel means, which the published weights expect to be taken off."""


def build_resnet(classes: int, weights: str | None, *, frozen: bool) -> keras.Model:
    """Build ResNet50; the feature map is 7×7, that before it 14×14.

    With `frozen`, only the layers from stage 5 on train, and batch normalisation stays in inference
    mode.
    """
    images = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="images")
    channels = [keras.layers.Rescaling(1.0, offset=-mean)(images) for mean in CHANNEL_MEANS]
    x = keras.layers.Concatenate()(channels)
    base = keras.applications.ResNet50(
        input_shape=(SIZE, SIZE, 3), include_top=False, weights=weights
    )
    prepare_base(base, frozen=frozen, first_trained="conv5")
    return attach_head(images, base(x), classes, "resnet50")
