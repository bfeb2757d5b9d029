"""What a scanner makes of a slice: contrast, coil sensitivity, noise, and a window."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gyrus.phantom.anatomy import Labels, Tissue
from gyrus.phantom.fields import Field, blur, smooth_noise

T1 = {
    Tissue.AIR: 0.02,
    Tissue.SCALP: 0.85,
    Tissue.BONE: 0.08,
    Tissue.MARROW: 0.38,
    Tissue.FLUID: 0.15,
    Tissue.GREY: 0.43,
    Tissue.WHITE: 0.65,
    Tissue.DEEP_GREY: 0.52,
    Tissue.GLAND: 0.72,
    Tissue.VESSEL: 0.75,
    Tissue.EYE: 0.22,
}
FLAIR = T1 | {
    Tissue.SCALP: 0.62,
    Tissue.MARROW: 0.25,
    Tissue.FLUID: 0.10,
    Tissue.GREY: 0.58,
    Tissue.WHITE: 0.46,
    Tissue.DEEP_GREY: 0.56,
    Tissue.GLAND: 0.6,
    Tissue.VESSEL: 0.35,
    Tissue.EYE: 0.15,
}


class Scanner:
    """One patient's scan: sequence and contrast, bias field, noise and window."""

    def __init__(self, generator: Generator) -> None:
        uniform = generator.uniform
        flair = generator.random() < 0.1
        self.oedema_change = uniform(0.15, 0.3) if flair else -uniform(0.1, 0.22)
        levels = FLAIR if flair else T1
        self.levels = np.array([levels[tissue] for tissue in Tissue], np.float32)
        self.levels += generator.normal(0, 0.02, len(self.levels)).astype(np.float32)
        self.levels[Tissue.SCALP] *= uniform(0.6, 1.35)
        self.bias = 1 + uniform(0.03, 0.08) * smooth_noise(generator, 2)
        self.texture = uniform(0.008, 0.02) * smooth_noise(generator, 48)
        self.sharpness = uniform(0.55, 1.0)
        self.noise = uniform(0.008, 0.025)
        self.gamma = uniform(0.85, 1.2)
        self.window = uniform(0.88, 1.1)
        self.level = uniform(-0.04, 0.015)

    def tissue_signal(self, tissue: Labels) -> Field:
        """The signal of each tissue, with a little texture; 1 is bright."""
        signal = self.levels[tissue] + self.texture * (tissue != Tissue.AIR)
        return np.asarray(signal, dtype=np.float32)

    def acquire(self, signal: Field, generator: Generator) -> NDArray[np.uint8]:
        """The picture of a signal: blurred, biased, with Rician noise, windowed, as uint8."""
        blurred = blur(np.maximum(signal, 0), self.sharpness) * self.bias
        real, imaginary = generator.standard_normal((2, *signal.shape), dtype=np.float32)
        noisy = np.hypot(blurred + self.noise * real, self.noise * imaginary)
        shown = np.clip(noisy * self.window + self.level, 0, 1) ** self.gamma
        return np.asarray(shown * 255 + 0.5).clip(0, 255).astype(np.uint8)
