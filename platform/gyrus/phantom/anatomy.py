"""A drawn head: which tissue is where in an axial slice, at any height.

Heights run from 0 (the sella and the base of the skull) to 1 (near the vertex). Lengths are in half
canvases, x to the right, y to the back.
"""

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gyrus.phantom.fields import Field, ellipse, grid, smooth_noise

SCALP, BRAIN = 1.0, 0.865
"""Outer borders, as shares of the head's radius; the skull's is the patient's own."""


class Tissue(IntEnum):
    """The tissues that a slice is made of."""

    AIR = 0
    SCALP = 1
    BONE = 2
    MARROW = 3
    FLUID = 4
    GREY = 5
    WHITE = 6
    DEEP_GREY = 7
    GLAND = 8
    VESSEL = 9
    EYE = 10


Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Slice:
    """One axial slice: tissues and, for what is placed in it, coordinates in the head's frame.

    `radius` is 0 in the middle and 1 on the scalp.
    """

    tissue: Labels
    x: Field
    y: Field
    radius: Field
    axes: tuple[float, float]
    height: float


class Head:
    """The shape of one patient's head and brain, drawn once and then sliced at any height."""

    def __init__(self, generator: Generator) -> None:
        uniform = generator.uniform
        self.length = uniform(0.82, 0.93)
        self.aspect = uniform(0.74, 0.86)
        self.tilt = uniform(-0.16, 0.16)
        self.shift = uniform(-0.05, 0.05, 2)
        self.ventricles = uniform(0.75, 1.45)
        self.atrophy = uniform(0.7, 1.3)
        self.ribbon = uniform(4.2, 6.2)
        self.skull = uniform(0.8, 1.25)
        self.skull_border = uniform(0.895, 0.95)
        self.bend = [smooth_noise(generator, 3) * 0.018 for _ in range(2)]
        self.folds = [smooth_noise(generator, 17) for _ in range(2)]
        self.gyri = [smooth_noise(generator, 42) for _ in range(2)]
        self.fine = smooth_noise(generator, 40)
        self.phase = uniform(0, 2 * np.pi)

    def slice(
        self,
        height: float,
        push: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 0.0),
    ) -> Slice:
        """The slice at `height`; `push` (x, y, reach, strength) is a mass that displaces tissue."""
        x, y = self._frame()
        size = 1.0 - 0.5 * max(0.0, height - 0.45) ** 1.6 - 0.06 * max(0.0, 0.25 - height)
        axes = (self.length * self.aspect * size, self.length * size)
        radius = np.hypot(x / axes[0], y / axes[1])
        egg = 1 + 0.05 * y / axes[1] * (1 - np.minimum(1, np.abs(x) / axes[0]))
        radius = np.asarray(radius * egg, dtype=np.float32)
        inner_x, inner_y = _pushed(x, y, push)
        tissue = self._shell(radius)
        inside = radius < BRAIN - 0.015 * self.skull
        brain = self._brain(inner_x, inner_y, radius, inside, axes, height)
        tissue[inside] = brain[inside]
        if height < 0.22:
            self._base(tissue, inner_x, inner_y, radius, height)
        return Slice(tissue, x, y, radius, axes, height)

    def _frame(self) -> tuple[Field, Field]:
        x, y = grid()
        x, y = x - self.shift[0] + self.bend[0], y - self.shift[1] + self.bend[1]
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return np.asarray(cos * x + sin * y, np.float32), np.asarray(cos * y - sin * x, np.float32)

    def _shell(self, radius: Field) -> Labels:
        tissue = np.zeros(radius.shape, np.uint8)
        tissue[radius < SCALP] = Tissue.SCALP
        inner = BRAIN - 0.015 * self.skull
        tissue[radius < self.skull_border] = Tissue.BONE
        middle = (self.skull_border + inner) / 2
        tissue[np.abs(radius - middle) < 0.011 * self.skull] = Tissue.MARROW
        return tissue

    def _brain(
        self,
        x: Field,
        y: Field,
        radius: Field,
        inside: NDArray[np.bool_],
        axes: tuple[float, float],
        height: float,
    ) -> Labels:
        depth = np.asarray((BRAIN - radius) * axes[0], np.float32)
        furrow = self._furrows(x, y, depth, height)
        fissure = self._fissure(x, y, axes, height)
        fluid = furrow | fissure | (depth < 0.018 * self.atrophy)
        matter = (inside & ~fluid).astype(np.uint8)
        distance = cv2.distanceTransform(matter, cv2.DIST_L2, 3)
        grey = distance < self.ribbon + 0.5 * self.fine
        brain = np.where(grey, Tissue.GREY, Tissue.WHITE).astype(np.uint8)
        self._deep(brain, x, y, height)
        brain[fluid] = Tissue.FLUID
        self._ventricles(brain, x, y, height)
        return brain

    def _furrows(self, x: Field, y: Field, depth: Field, height: float) -> NDArray[np.bool_]:
        """The sulci: zero lines of noise that runs inwards from the surface, of even width."""
        turn = self.phase + 2.0 * height
        gyri = np.float32(np.cos(turn)) * self.gyri[0] + np.float32(np.sin(turn)) * self.gyri[1]
        around = (np.arctan2(x, -y) / (2 * np.pi) + 0.5) * 255 + 3.0 * self.folds[0]
        inwards = 128 + 45 * depth + 3.0 * self.folds[1]
        waves = cv2.remap(
            np.asarray(gyri, np.float32),
            np.asarray(around, np.float32),
            np.asarray(inwards, np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        steepness = np.hypot(cv2.Sobel(waves, -1, 1, 0), cv2.Sobel(waves, -1, 0, 1)) / 8
        width = self.atrophy * (1.05 - 1.8 * depth)
        reach = 0.20 + 0.07 * self.folds[1] + 0.03 * self.fine
        return np.asarray((np.abs(waves) < width * (steepness + 0.01)) & (depth < reach))

    def _fissure(
        self, x: Field, y: Field, axes: tuple[float, float], height: float
    ) -> NDArray[np.bool_]:
        front = np.float32(-0.36 + 0.45 * max(0.0, height - 0.5)) * axes[1]
        back = np.float32(0.42 - 0.5 * max(0.0, height - 0.5)) * axes[1]
        width = 0.011 * self.atrophy
        wave = x + 0.012 * np.sin(9 * y)
        between = (np.abs(wave) < width) & ((y < front) | (y > back) | (height > 0.8))
        if height > 0.6 or height < 0.06:
            return np.asarray(between)
        side = np.abs(x) / axes[0]
        curve = -0.16 * axes[1] + 0.25 * (side - 0.55) + 0.03 * np.sin(16 * side)
        sylvian = (np.abs(y - curve) < 0.016 * self.atrophy) & (side > 0.5)
        return np.asarray(between | sylvian)

    def _deep(self, brain: Labels, x: Field, y: Field, height: float) -> None:
        if not 0.2 < height < 0.62:
            return
        mirrored = np.abs(x)
        swell = float(np.sin((height - 0.2) / 0.42 * np.pi)) ** 0.5
        for centre, size in (
            ((0.10, 0.10), (0.085, 0.12)),
            ((0.23, -0.06), (0.055, 0.15)),
            ((0.13, -0.20), (0.05, 0.075)),
        ):
            turned = np.asarray(y + 0.5 * (mirrored - centre[0]), np.float32)
            where = ellipse(mirrored, turned, centre, (size[0] * swell, size[1] * swell))
            brain[where < 1 + 0.08 * self.fine] = Tissue.DEEP_GREY

    def _ventricles(self, brain: Labels, x: Field, y: Field, height: float) -> None:
        mirrored = np.abs(x)
        size = self.ventricles * float(np.exp(-(((height - 0.48) / 0.16) ** 2)))
        if size > 0.15:
            front = ellipse(mirrored - 0.35 * (-0.10 - y), y, (0.055, -0.17), (0.042 * size, 0.15))
            body = ellipse(mirrored, y, (0.065, 0.02), (0.034 * size, 0.20 * size**0.5))
            back = ellipse(mirrored - 0.55 * (y - 0.18), y, (0.10, 0.25), (0.05 * size, 0.14))
            # Lower, the horns are apart; higher, one long body is seen.
            parts = np.minimum(front, back) if height < 0.46 else np.minimum(body, back + 0.2)
            brain[(parts < 1) & (mirrored > 0.012)] = Tissue.FLUID
        if 0.22 < height < 0.46:
            third = ellipse(x, y, (0.0, 0.05), (0.013 * self.ventricles, 0.12))
            brain[third < 1] = Tissue.FLUID

    def _base(self, tissue: Labels, x: Field, y: Field, radius: Field, height: float) -> None:
        """Cerebellum, brain stem, cisterns, sella and, lowest, the orbits."""
        mirrored = np.abs(x)
        inside = radius < BRAIN - 0.04
        lobe = ellipse(mirrored, y, (0.21, 0.42), (0.27, 0.26)) + 0.05 * self.folds[0]
        hind = (lobe < 1) & inside
        leaf = np.sin(70 * np.hypot(x * 0.8, y - 0.2) + 2 * self.folds[1])
        tissue[(lobe < 1.08) & inside] = Tissue.FLUID
        tissue[hind] = np.where(leaf[hind] > -0.25, Tissue.GREY, Tissue.WHITE)
        tissue[hind & (lobe < 0.5)] = Tissue.WHITE
        cistern = ellipse(mirrored, y, (0.02, -0.06), (0.15, 0.10)) + 0.12 * self.folds[0]
        tissue[cistern < 1] = Tissue.FLUID
        stem = ellipse(mirrored, y, (0.0, 0.13), (0.15, 0.13))
        stem = stem + 0.10 * np.cos(3 * np.arctan2(mirrored, y - 0.13)) + 0.03 * self.fine
        tissue[(stem < 1.12) & inside] = Tissue.FLUID
        tissue[stem < 1] = Tissue.WHITE
        fourth = ellipse(x, y, (0.0, 0.285), (0.055 * self.ventricles, 0.03))
        tissue[fourth < 1] = Tissue.FLUID
        petrous = np.abs(y - 0.10 - 0.42 * (mirrored - 0.25)) + 0.01 * self.fine
        bony = (petrous < 0.035) & (mirrored > 0.27) & (height < 0.1) & inside
        tissue[bony] = Tissue.BONE
        gland = ellipse(x, y, (0.0, -0.10), (0.05, 0.032))
        tissue[gland < 1] = Tissue.GLAND
        arteries = ellipse(mirrored, y, (0.095, -0.09), (0.02, 0.02))
        tissue[arteries < 1] = Tissue.VESSEL
        if height < 0.07:
            self._orbits(tissue, mirrored, y, radius)

    def _orbits(self, tissue: Labels, mirrored: Field, y: Field, radius: Field) -> None:
        front = (y < -0.52 - 0.1 * mirrored) & (radius < self.skull_border)
        tissue[front] = Tissue.BONE
        socket = ellipse(mirrored, y, (0.25, -0.60), (0.135, 0.14))
        tissue[(socket < 1) & front] = Tissue.SCALP
        globe = ellipse(mirrored, y, (0.255, -0.63), (0.09, 0.09))
        tissue[(globe < 1) & (radius < SCALP)] = Tissue.EYE
        nasal = (ellipse(mirrored, y, (0.05, -0.63), (0.04, 0.11)) < 1) & front
        tissue[nasal] = Tissue.MARROW


def _pushed(x: Field, y: Field, push: tuple[float, float, float, float]) -> tuple[Field, Field]:
    """Coordinates of the tissue that a mass has moved outwards."""
    centre_x, centre_y, reach, strength = push
    if strength == 0:
        return x, y
    dx, dy = x - centre_x, y - centre_y
    weight = strength * np.exp(-(dx**2 + dy**2) / reach**2)
    return np.asarray(x - weight * dx, np.float32), np.asarray(y - weight * dy, np.float32)
