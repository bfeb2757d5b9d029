"""In which precision a worker computes; its weights are float32 in any case."""

import tensorflow as tf

from gyrus.recipe import Precision

LEAST_CAPABILITY = (8, 0)
"""Of a GPU (Ampere, 2020) that computes in bfloat16 much faster than in float32."""


def dtype_policy(asked: Precision) -> str:
    """Keras' name of the policy that is meant here.

    In bfloat16 only what layers compute is half as long: variables, the loss and the logits stay
    float32 (Micikevicius et al. 2018). It has float32's range, so no loss needs to be scaled.
    """
    if asked != "auto":
        return asked
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    able = [one.get("compute_capability", (0, 0)) >= LEAST_CAPABILITY for one in details]
    return "mixed_bfloat16" if able and all(able) else "float32"
