"""The custom CNN: four blocks of convolution, batch normalisation and ReLU, max-pooled between."""

import keras

from gyrus.imaging import SIZE
from training_jobs.models.head import attach_head

BLOCKS = 4


def build_cnn(classes: int, filters: int) -> keras.Model:
    """Build the CNN; block i has `filters` · 2^i filters, the feature map is 14×14.

    The first convolution moves in steps of two: a quarter of the work, and twice the field of view,
    which a tumour needs more than it needs single pixels. No pooling follows the last block: the
    head averages anyway, and the map is twice as sharp.
    """
    images = keras.Input((SIZE, SIZE, 1), dtype="uint8", name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    for block in range(BLOCKS):
        size, strides = (5, 2) if block == 0 else (3, 1)
        x = keras.layers.Conv2D(
            filters * 2**block, size, strides=strides, padding="same", use_bias=False
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
        if block < BLOCKS - 1:
            x = keras.layers.MaxPooling2D()(x)
    return attach_head(images, x, classes, "cnn")
