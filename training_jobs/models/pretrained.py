"""What MobileNetV2 and ResNet50 share: which layers of a base train, and how its norms behave."""

import keras


def prepare_base(base: keras.Model, *, frozen: bool, first_trained: str) -> None:
    """Let only the layers from `first_trained` on train (`frozen`), or all of them from scratch.

    From scratch, batch normalisation gets a momentum that follows runs of a few thousand images:
    Keras' 0.999 for MobileNetV2 leaves the moving statistics behind.
    """
    trained = not frozen
    for layer in base.layers:
        trained = trained or layer.name.startswith(first_trained)
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = trained and not (frozen and norm)
        if norm and not frozen:
            layer.momentum = 0.9
