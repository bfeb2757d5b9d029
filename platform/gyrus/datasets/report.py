"""What a dataset holds and gives away: counts, copies, contradictions and shortcuts."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from gyrus.datasets.dataset import LEFT_OUT, SPLITS, Dataset
from gyrus.datasets.files import read_facts
from gyrus.datasets.grouping import Grouping, contradicting, group_images, join
from gyrus.datasets.shortcuts import border_features, file_features, probe
from gyrus.metrics import Estimate

Knows = Literal["files", "border"]


class Count(BaseModel):
    """Images of a label of a source; `splits` has them by split, and what was left out."""

    source: str
    label: str
    tumour: bool
    images: int
    groups: int
    splits: dict[str, int]


class Copies(BaseModel):
    """Images of which there are several: in how many sets, and how many beyond one of each."""

    sets: int
    beyond_one: int
    equal_files: int
    largest: int


class Shared(BaseModel):
    """How many images of one part have a copy in another, and how many of them an equal file.

    `grouped` have a copy or something so like there that they share a group: a neighbouring slice.
    """

    part: str
    other: str
    images: int
    shared: int
    equal_files: int
    grouped: int
    labels: dict[str, int]


class Image(BaseModel):
    """An image as it is named in a report: its row, and what the manifest says."""

    row: int
    source: str
    file: str
    label: str


class Probe(BaseModel):
    """How well files or borders of a source (empty: of all) tell tumour or not."""

    source: str
    knows: Knows
    images: int
    auroc: Estimate | None


class Report(BaseModel):
    """All that a report says.

    `folders` is how shipped test and validation images stand in the shipped training part, for each
    source; `sources` how images of each source stand in each other one.
    """

    name: str
    digest: str
    synthetic: bool
    images: int
    refused: int
    groups: int
    counts: list[Count]
    copies: Copies
    folders: list[Shared]
    sources: list[Shared]
    contradictions: list[list[Image]]
    probes: list[Probe]


def report_on(dataset: Dataset, stage: Callable[[str], None] | None = None) -> Report:
    """Look at every image of a dataset; `stage` gets what is being done."""
    tell = stage or (lambda message: None)
    tell("Looking for copies")
    sha256 = dataset.column("sha256")
    grouping = group_images(dataset.images, files=sha256)
    copies = np.array(join(len(sha256), grouping.copies))
    shipped_splits = np.array(dataset.column("shipped_split"), dtype=np.str_)
    parts = np.char.add(np.char.add(dataset.sources, "/"), shipped_splits)
    sources = sorted(set(dataset.sources.tolist()))
    shipped = [
        (f"{source}/{name}", f"{source}/train")
        for source in sources
        for name in ("test", "validation")
    ]
    files = np.array(sha256)
    tell("Probing for shortcuts")
    return Report(
        name=dataset.name,
        digest=dataset.digest,
        synthetic=dataset.synthetic,
        images=len(files),
        refused=len(dataset.refused),
        groups=len(np.unique(dataset.groups)),
        counts=_counts(dataset),
        copies=_copies(copies, files),
        folders=_shared(dataset, shipped, parts, copies, files),
        sources=_shared(
            dataset,
            [(one, two) for one in sources for two in sources if one != two],
            dataset.sources,
            copies,
            files,
        ),
        contradictions=_contradictions(dataset, grouping, copies),
        probes=_probes(dataset),
    )


def _counts(dataset: Dataset) -> list[Count]:
    labels, splits = np.array(dataset.column("label")), np.array(dataset.column("split"))
    return [
        Count(
            source=source,
            label=label,
            tumour=bool(dataset.truth[rows][0]),
            images=int(rows.sum()),
            groups=len(np.unique(dataset.groups[rows])),
            splits={name: int((splits[rows] == name).sum()) for name in (*SPLITS, LEFT_OUT)},
        )
        for source, label in sorted(
            set(zip(dataset.sources.tolist(), labels.tolist(), strict=True))
        )
        for rows in [(dataset.sources == source) & (labels == label)]
    ]


def _copies(copies: NDArray[np.str_], files: NDArray[np.str_]) -> Copies:
    sizes = np.unique(copies, return_counts=True)[1]
    return Copies(
        sets=int((sizes > 1).sum()),
        beyond_one=int((sizes - 1).sum()),
        equal_files=len(files) - len(np.unique(files)),
        largest=int(sizes.max()),
    )


def _shared(
    dataset: Dataset,
    pairs: list[tuple[str, str]],
    parts: NDArray[np.str_],
    copies: NDArray[np.str_],
    files: NDArray[np.str_],
) -> list[Shared]:
    """How images of the first part of each pair stand in its second, where both have images."""
    labels = np.array(dataset.column("label"))
    found = []
    for part, other in pairs:
        here, there = parts == part, parts == other
        if here.any() and there.any():
            shared = here & np.isin(copies, copies[there])
            found.append(
                Shared(
                    part=part,
                    other=other,
                    images=int(here.sum()),
                    shared=int(shared.sum()),
                    equal_files=int((here & np.isin(files, files[there])).sum()),
                    grouped=int((here & np.isin(dataset.groups, dataset.groups[there])).sum()),
                    labels=dict(sorted(Counter(labels[shared].tolist()).items())),
                )
            )
    return found


def _contradictions(
    dataset: Dataset, grouping: Grouping, copies: NDArray[np.str_]
) -> list[list[Image]]:
    """Sets of copies whose labels contradict each other."""
    sets: defaultdict[str, list[Image]] = defaultdict(list)
    names, labels = dataset.column("source"), dataset.column("label")
    for row in np.flatnonzero(contradicting(grouping.copies, dataset.allowed)).tolist():
        sets[copies[row]].append(
            Image(row=row, source=str(dataset.sources[row]), file=names[row], label=labels[row])
        )
    return list(sets.values())


def _probes(dataset: Dataset) -> list[Probe]:
    facts = read_facts(dataset.folder, dataset.manifest.num_rows)
    borders = np.stack([border_features(image) for image in dataset.images])
    kept = np.array(dataset.column("split")) != LEFT_OUT
    known = np.array([one is not None for one in facts])
    sources = sorted(set(dataset.sources.tolist()))
    found = []
    for source in ["", *sources] if len(sources) > 1 else [""]:
        of = kept & ((dataset.sources == source) | (source == ""))
        rows = np.flatnonzero(of & known)
        features = file_features([one for row in rows if (one := facts[row])])
        found.append(_probe(dataset, source, "files", rows, features))
        rows = np.flatnonzero(of)
        found.append(_probe(dataset, source, "border", rows, borders[rows]))
    return found


def _probe(
    dataset: Dataset,
    source: str,
    knows: Knows,
    rows: NDArray[np.int64],
    features: NDArray[np.float64],
) -> Probe:
    auroc = probe(features, dataset.truth[rows], dataset.groups[rows])
    return Probe(source=source, knows=knows, images=len(rows), auroc=auroc)
