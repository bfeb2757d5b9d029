"""Tumours of three kinds, each where and as it is in life, and what resembles them."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gyrus.phantom.anatomy import BRAIN, Slice, Tissue
from gyrus.phantom.fields import Field, blur, ellipse, smooth_noise

KINDS = ("glioma", "meningioma", "pituitary")


@dataclass(frozen=True)
class Site:
    """Where a patient is scanned: the middle's place and height, and the half thickness there.

    Tumour-free patients have one too, drawn the same way, so that height tells nothing.
    """

    x: float
    y: float
    height: float
    size: float
    extent: float


def place(kind: str, generator: Generator) -> Site:
    """Where a tumour of `kind` grows, and how large it is (radius in half canvases)."""
    uniform = generator.uniform
    side = generator.choice([-1.0, 1.0])
    if kind == "pituitary":
        return Site(uniform(-0.02, 0.02), -0.10, uniform(0.05, 0.12), uniform(0.115, 0.175), 0.05)
    if kind == "meningioma":
        # The angle from the front, kept off the pole at the neck; the place is on the dura.
        angle = uniform(0.1, 2.7) * side
        size, height = uniform(0.16, 0.27), uniform(0.08, 0.85)
        return Site(float(np.sin(angle)), float(-np.cos(angle)), height, size, size / 2)
    size, height = uniform(0.17, 0.30), uniform(0.10, 0.80)
    return Site(uniform(0.14, 0.36) * side, uniform(-0.42, 0.42), height, size, size / 2)


class Tumour:
    """One patient's tumour: its look stays the same from slice to slice."""

    def __init__(self, kind: str, site: Site, generator: Generator) -> None:
        uniform = generator.uniform
        self.kind, self.site = kind, site
        self.outline = smooth_noise(generator, 12), smooth_noise(generator, 26)
        self.texture = smooth_noise(generator, 30)
        self.stretch = uniform(0.8, 1.25)
        self.turn = uniform(0, np.pi)
        self.enhancement = uniform(0.42, 0.62)
        self.core = uniform(-0.42, -0.12)
        self.ring = uniform(0.22, 0.4)
        self.solid = generator.random() < 0.25
        self.oedema = uniform(0.3, 0.9)

    def push(self, height: float, scale: float) -> tuple[float, float, float, float]:
        """How far the tumour displaces the tissue about it, as `Head.slice` wants it."""
        x, y = self._centre(scale, scale)
        return x, y, 2.2 * self.site.size, 0.25 * self._radius(height) / self.site.size

    def add(
        self, image: Field, where: Slice, oedema_change: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        """The intensities of `where` with the tumour in it, and the tumour's mask."""
        distance = self._distance(where)
        draw = {"glioma": self._glioma, "meningioma": self._meningioma}.get(self.kind, self._mass)
        return draw(image, where, distance, oedema_change)

    def _radius(self, height: float) -> float:
        offset = (height - self.site.height) / self.site.extent
        return self.site.size * float(np.sqrt(max(0.05, 1 - 0.7 * offset**2)))

    def _centre(self, across: float, along: float) -> tuple[float, float]:
        if self.kind == "meningioma":
            return self.site.x * across, self.site.y * along
        return self.site.x, self.site.y

    def _distance(self, where: Slice) -> Field:
        """1 on the tumour's outline, less inside."""
        edge = BRAIN - 0.02
        radius = self._radius(where.height)
        if self.kind == "meningioma":
            inwards = edge - 0.55 * radius / where.axes[1]
            x, y = self._centre(where.axes[0] * inwards, where.axes[1] * inwards)
        else:
            x, y = self._centre(1, 1)
        dx, dy = where.x - x, where.y - y
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        if self.kind == "pituitary":
            along, across = dx / 1.1, dy
        stretch = self.stretch if self.kind == "glioma" else 1 + (self.stretch - 1) / 3
        distance = np.hypot(along / stretch, across * stretch) / radius
        rough = {"glioma": 0.17, "meningioma": 0.05}.get(self.kind, 0.06)
        distance = distance + rough * (self.outline[0] + 0.5 * self.outline[1])
        return np.asarray(distance, dtype=np.float32)

    def _glioma(
        self, image: Field, where: Slice, distance: Field, oedema_change: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        brain = np.isin(where.tissue, (Tissue.WHITE, Tissue.GREY, Tissue.DEEP_GREY))
        brain |= (where.tissue == Tissue.FLUID) & (where.radius < BRAIN - 0.06)
        mask = (distance < 1) & brain
        spread = _soft(1.55 + 0.35 * self.outline[0] - distance, 0.25)
        white = blur((where.tissue == Tissue.WHITE).astype(np.float32), 1.5)
        image = image + self.oedema * oedema_change * spread * white
        level = 0.55 + 0.08 * self.texture
        rim = level + self.enhancement
        body = np.where(
            (distance > 1 - self.ring) | self.solid, rim - 0.1 * self.solid, level + self.core
        )
        return _paste(image, body.astype(np.float32), mask), mask

    def _meningioma(
        self, image: Field, where: Slice, distance: Field, oedema_change: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        mask = (distance < 1) & (where.radius < BRAIN - 0.015)
        cleft = (distance < 1.1) & (where.radius < BRAIN - 0.015)
        image = _paste(image, np.full_like(image, 0.25), cleft)
        spread = _soft(1.35 - distance, 0.2) * (where.tissue == Tissue.WHITE)
        image = image + 0.5 * self.oedema * oedema_change * spread
        body = 0.58 + self.enhancement + 0.025 * self.texture
        return _paste(image, body.astype(np.float32), mask), mask

    def _mass(
        self, image: Field, where: Slice, distance: Field, oedema_change: float
    ) -> tuple[Field, NDArray[np.bool_]]:
        del oedema_change  # a pituitary tumour has none
        mask = (distance < 1) & (where.radius < BRAIN - 0.1)
        body = 0.56 + self.enhancement + 0.05 * self.texture
        return _paste(image, body.astype(np.float32), mask), mask


class Incidental:
    """What is bright or dark and no tumour: vessels, calcifications, small white-matter lesions."""

    def __init__(self, generator: Generator) -> None:
        uniform = generator.uniform
        self.sinus = uniform(0.5, 1.1)
        self.sinus_size = uniform(0.02, 0.042)
        self.spots = [
            (uniform(-0.45, 0.45), uniform(-0.5, 0.5), uniform(0.012, 0.03), uniform(-0.2, 0.35))
            for _ in range(generator.integers(0, 5))
        ]
        self.plexus = uniform(-0.3, 0.5) * (generator.random() < 0.5)
        self.vessels = smooth_noise(generator, 22)
        self.vessel_level = uniform(0.0, 0.25)

    def add(self, image: Field, where: Slice) -> Field:
        """The intensities of `where` with these in it."""
        inside = where.radius < BRAIN - 0.02
        back = where.axes[1] * (BRAIN - 0.05)
        sinus = ellipse(where.x, where.y, (0.0, back), (self.sinus_size, self.sinus_size * 1.3))
        image = _paste(image, np.full_like(image, self.sinus), sinus < 1)
        thin = (np.abs(self.vessels) < 0.05) & (where.tissue == Tissue.FLUID) & inside
        image = image + self.vessel_level * blur(thin.astype(np.float32), 0.7)
        for x, y, size, change in self.spots:
            near = _soft(1 - ellipse(where.x, where.y, (x, y), (size, size)), 0.4)
            image = image + change * near * (where.tissue >= Tissue.GREY)
        if self.plexus and 0.3 < where.height < 0.6:
            spots = ellipse(np.abs(where.x), where.y, (0.13, 0.22), (0.025, 0.04))
            image = image + self.plexus * _soft(1 - spots, 0.3)
        return np.asarray(image, dtype=np.float32)


def _soft(field: Field, width: float) -> Field:
    """0 below, 1 above, a ramp of `width` between."""
    return np.asarray(np.clip(field / width + 0.5, 0, 1), dtype=np.float32)


def _paste(image: Field, body: Field, mask: NDArray[np.bool_]) -> Field:
    weight = blur(mask.astype(np.float32), 0.9)
    return np.asarray(image * (1 - weight) + body * weight, dtype=np.float32)
