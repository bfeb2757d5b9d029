"""Import, grouping and the dataset folder."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus.datasets import Dataset, import_folder, list_datasets
from gyrus.datasets.dataset import LEFT_OUT, SPLITS
from gyrus.datasets.files import FileFacts, read_facts
from gyrus.errors import Conflict, InputError, InvalidDataset
from gyrus.phantom import draw
from tests.gyrus.dicom import mr_slice

DATA = Path(os.environ.get("GYRUS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def write(path: Path, image: np.ndarray, *options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(path.suffix, image, options)
    assert ok
    path.write_bytes(data.tobytes())


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """Ten heads of each class, in folders named as the well-known sets name them."""
    for number in range(10):
        write(tmp_path / "heads/Yes" / f"Y {number}.PNG", draw("glioma", seed=number)[0])
        write(tmp_path / "heads/no" / f"N{number}.png", draw("notumor", seed=number)[0])
    return tmp_path / "heads"


def test_class_folders_become_a_dataset(heads: Path, tmp_path: Path) -> None:
    dataset = import_folder(heads, tmp_path, "d")
    assert dataset.classes == ["no", "yes"]
    assert dataset.tumour_classes == ["yes"]
    assert not dataset.synthetic
    assert dataset.images.shape == (20, 224, 224)
    assert dataset.masks is None
    assert dataset.labels.tolist() == [1] * 10 + [0] * 10
    assert dataset.column("source")[0] == "Yes/Y 0.PNG"
    assert isinstance(dataset.images, np.memmap)


def test_hidden_files_and_folders_are_passed_over(heads: Path, tmp_path: Path) -> None:
    for name in (".hidden.png", ".checkpoints/a.png"):
        write(heads / "no" / name, draw("notumor", seed=99)[0])
    dataset = import_folder(heads, tmp_path, "d")
    assert (len(dataset.labels), dataset.refused) == (20, [])


@pytest.mark.parametrize(("first", "second"), [("Training", "Testing"), ("train", "test")])
def test_folders_of_a_shipped_split_are_looked_into(
    heads: Path, tmp_path: Path, first: str, second: str
) -> None:
    (tmp_path / "set" / first).mkdir(parents=True)
    (heads / "Yes").rename(tmp_path / "set" / first / "yes")
    (heads / "no").rename(tmp_path / "set" / first / "no")
    write(tmp_path / "set" / second / "No" / "more.png", draw("notumor", seed=50)[0])
    dataset = import_folder(tmp_path / "set", tmp_path, "d")
    assert dataset.classes == ["no", "yes"]
    assert sorted(set(dataset.column("shipped_split"))) == ["test", "train"]


def test_splits_cover_every_row_once(heads: Path, tmp_path: Path) -> None:
    dataset = import_folder(heads, tmp_path, "d")
    rows = np.concatenate([dataset.split(name) for name in SPLITS])
    assert sorted(rows.tolist()) == list(range(20))
    assert sum(sum(counts.values()) for counts in dataset.counts.values()) == 20
    with pytest.raises(ValueError, match="no split"):
        dataset.split("exam")


def test_the_same_input_gives_the_same_digests(heads: Path, tmp_path: Path) -> None:
    first, second = (import_folder(heads, tmp_path, name) for name in ("a", "b"))
    assert first.digest == second.digest
    assert first.split_digest == second.split_digest
    write(heads / "no" / "N0.png", draw("notumor", seed=99)[0])
    assert import_folder(heads, tmp_path, "c").digest != first.digest


def test_files_that_are_no_images_are_refused_with_a_reason(heads: Path, tmp_path: Path) -> None:
    (heads / "no" / "Thumbs.db").write_bytes(b"text")
    (heads / "no" / "empty.jpg").write_bytes(b"")
    (heads / "no" / ".DS_Store").write_bytes(b"hidden")
    whole = (heads / "no" / "N1.png").read_bytes()
    (heads / "no" / "cut.png").write_bytes(whole[: len(whole) // 2])
    dataset = import_folder(heads, tmp_path, "d")
    reasons = {refused.source: refused.reason for refused in dataset.refused}
    assert sorted(reasons) == ["no/Thumbs.db", "no/cut.png", "no/empty.jpg"]
    assert "empty" in reasons["no/empty.jpg"]
    assert "damaged" in reasons["no/cut.png"]
    assert len(dataset.labels) == 20


def test_a_file_too_large_for_an_image_is_refused_unread(heads: Path, tmp_path: Path) -> None:
    with (heads / "no" / "volume.png").open("wb") as file:
        file.truncate(300 * 2**20)
    [refused] = import_folder(heads, tmp_path, "d").refused
    assert "larger than" in refused.reason


def test_copies_share_a_group(heads: Path, tmp_path: Path) -> None:
    image = draw("glioma", seed=0)[0]
    (heads / "no" / "same-file.png").write_bytes((heads / "Yes/Y 0.PNG").read_bytes())
    write(heads / "no" / "same-pixels.bmp", image)
    write(heads / "no" / "again.jpg", image, cv2.IMWRITE_JPEG_QUALITY, 60)
    write(heads / "no" / "larger.png", cv2.resize(image, None, fx=1.7, fy=1.7))
    dataset = import_folder(heads, tmp_path, "d")
    groups = dict(zip(dataset.column("source"), dataset.groups.tolist(), strict=True))
    copies = {groups[f"no/{name}"] for name in ("same-file.png", "same-pixels.bmp", "again.jpg")}
    assert copies | {groups["no/larger.png"]} == {groups["Yes/Y 0.PNG"]}
    assert len(set(groups.values())) == 20


def test_copies_whose_labels_contradict_each_other_are_left_out(
    heads: Path, tmp_path: Path
) -> None:
    (heads / "no" / "copy.png").write_bytes((heads / "Yes/Y 0.PNG").read_bytes())
    (heads / "Yes" / "copy.png").write_bytes((heads / "Yes/Y 1.PNG").read_bytes())
    dataset = import_folder(heads, tmp_path, "d")
    splits = dict(zip(dataset.column("source"), dataset.column("split"), strict=True))
    left_out = {source for source, split in splits.items() if split == LEFT_OUT}
    assert left_out == {"no/copy.png", "Yes/Y 0.PNG"}
    assert sum(sum(counts.values()) for counts in dataset.counts.values()) == 20


def test_slices_of_a_patient_may_differ_in_their_label(heads: Path, tmp_path: Path) -> None:
    for label, kind in (("Yes", "meningioma"), ("no", "notumor")):
        data = mr_slice(draw(kind, seed=100)[0], PatientID="somebody")
        (heads / label / "slice.dcm").write_bytes(data)
    dataset = import_folder(heads, tmp_path, "d")
    slices = [source.endswith(".dcm") for source in dataset.column("source")]
    assert len(set(dataset.groups[slices])) == 1
    assert LEFT_OUT not in dataset.column("split")


def test_what_is_known_of_the_files_is_kept(heads: Path, tmp_path: Path) -> None:
    write(heads / "Yes" / "a.jpg", draw("glioma", seed=50)[0][:200])
    (heads / "Yes" / "b.dcm").write_bytes(mr_slice(draw("glioma", seed=51)[0]))
    dataset = import_folder(heads, tmp_path, "d")
    known = dict(zip(dataset.column("source"), read_facts(dataset.folder, 22), strict=True))
    size = (heads / "Yes" / "a.jpg").stat().st_size
    assert known["Yes/a.jpg"] == FileFacts(size, 256, 200, "L", "JPEG")
    dicom = known["Yes/b.dcm"]
    assert dicom is not None
    assert (dicom.width, dicom.height, dicom.format) == (256, 256, "DICOM")
    (dataset.folder / "files.parquet").unlink()
    assert read_facts(dataset.folder, 22) == [None] * 22


def test_progress_counts_every_file(heads: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_folder(heads, tmp_path, "d", progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, 20) for done in range(1, 21)]


def test_few_files_are_read_ahead(heads: Path, tmp_path: Path) -> None:
    def take_away(done: int, of: int) -> None:
        if done == 1:
            time.sleep(0.5)  # enough to read them all
            for number in range(5, 10):
                (heads / "no" / f"N{number}.png").unlink()

    dataset = import_folder(heads, tmp_path, "d", progress=take_away)
    assert [one.source for one in dataset.refused] == [
        f"no/N{number}.png" for number in range(5, 10)
    ]


def test_an_existing_name_is_a_conflict(heads: Path, tmp_path: Path) -> None:
    import_folder(heads, tmp_path, "d")
    with pytest.raises(Conflict, match="exists already"):
        import_folder(heads, tmp_path, "d")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 65])
def test_a_name_that_is_no_folder_name_is_refused(heads: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidDataset):
        import_folder(heads, tmp_path / "home", name)
    assert not (tmp_path / "home").exists()


def test_one_class_is_not_enough_and_leaves_nothing(heads: Path, tmp_path: Path) -> None:
    for path in (heads / "no").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(InvalidDataset, match="10 files were refused"):
        import_folder(heads, tmp_path / "home", "d")
    assert list((tmp_path / "home").iterdir()) == []


def test_an_empty_class_is_refused(heads: Path, tmp_path: Path) -> None:
    (heads / "pituitary").mkdir()
    with pytest.raises(InvalidDataset, match="class pituitary in"):
        import_folder(heads, tmp_path / "home", "d")
    (heads / "pituitary" / "1.png").write_bytes(b"no image")
    with pytest.raises(InvalidDataset, match="No file of the class pituitary"):
        import_folder(heads, tmp_path / "home", "d")
    assert list((tmp_path / "home").iterdir()) == []


def test_too_few_images_for_every_split_are_refused(heads: Path, tmp_path: Path) -> None:
    for path in [*(heads / "no").iterdir(), *(heads / "Yes").iterdir()]:
        if path.name[-5] not in "01":
            path.unlink()
    with pytest.raises(InvalidDataset, match="validation"):
        import_folder(heads, tmp_path / "home", "d")
    assert list((tmp_path / "home").iterdir()) == []


def test_one_name_for_all_patients_is_told_as_the_cause(heads: Path, tmp_path: Path) -> None:
    for label, kind in (("Yes", "meningioma"), ("no", "notumor")):
        for path in sorted((heads / label).iterdir())[1:]:
            path.unlink()
        for seed in range(20, 25):
            data = mr_slice(draw(kind, seed=seed)[0], PatientID="ANON")
            (heads / label / f"{seed}.dcm").write_bytes(data)
    with pytest.raises(InvalidDataset, match="10 of the 12 images have one PatientID"):
        import_folder(heads, tmp_path / "home", "d")


def test_folders_of_splits_beside_folders_of_classes_are_refused(
    heads: Path, tmp_path: Path
) -> None:
    write(heads / "train" / "no" / "more.png", draw("notumor", seed=50)[0])
    with pytest.raises(InvalidDataset, match="not both"):
        import_folder(heads, tmp_path / "home", "d")


def test_a_folder_that_holds_the_classes_again_is_no_class(heads: Path, tmp_path: Path) -> None:
    write(heads / "all of it" / "no" / "more.png", draw("notumor", seed=50)[0])
    with pytest.raises(InvalidDataset, match="no class"):
        import_folder(heads, tmp_path / "home", "d")


def test_a_folder_that_holds_all_the_others_again_is_left_out(heads: Path, tmp_path: Path) -> None:
    shutil.copytree(heads, tmp_path / "copy")
    (tmp_path / "copy").rename(heads / "all of it")
    (heads / "no" / "gone.png").symlink_to("nowhere")
    dataset = import_folder(heads, tmp_path, "d")
    assert {source.split("/")[0] for source in dataset.column("source")} == {"Yes", "no"}
    refused = {one.source: one.reason for one in dataset.refused}
    assert refused.keys() == {"all of it", "no/gone.png"}
    assert refused["all of it"].startswith("The folder holds the other folders again")
    (heads / "all of it" / "no" / "N0.png").rename(heads / "all of it" / "no" / "more.png")
    with pytest.raises(InvalidDataset, match="no class"):
        import_folder(heads, tmp_path / "home", "d")


def test_a_class_name_that_no_table_can_hold_is_refused(heads: Path, tmp_path: Path) -> None:
    (heads / "Yes").rename(heads / ("y" * 65))
    with pytest.raises(InvalidDataset, match="64 characters"):
        import_folder(heads, tmp_path / "home", "d")


@pytest.mark.parametrize("name", ["No Tumor", "non_tumour", "no-brain-tumor", "Control", "healthy"])
def test_names_of_the_class_without_tumour_are_known(
    heads: Path, tmp_path: Path, name: str
) -> None:
    (heads / "no").rename(heads / name)
    assert import_folder(heads, tmp_path, "d").tumour_classes == ["yes"]


def test_a_file_name_that_is_not_utf_8_is_refused(heads: Path, tmp_path: Path) -> None:
    picture = (heads / "no" / "N0.png").read_bytes()
    Path(os.fsdecode(os.fsencode(heads / "no") + b"/\xe9.png")).write_bytes(picture)
    dataset = import_folder(heads, tmp_path, "d")
    assert [refused.source for refused in dataset.refused] == ["no/\ufffd.png"]


def test_slices_of_a_patient_whom_dicom_names_share_a_group(heads: Path, tmp_path: Path) -> None:
    for number in range(3):
        pixels = draw("meningioma", seed=100 + number)[0]
        data = mr_slice(pixels, PatientID="somebody")
        (heads / "Yes" / f"slice-{number}.dcm").write_bytes(data)
    dataset = import_folder(heads, tmp_path, "d")
    slices = [source.endswith(".dcm") for source in dataset.column("source")]
    assert sum(slices) == 3
    assert len(set(dataset.groups[slices])) == 1
    assert b"somebody" not in (tmp_path / "d" / "manifest.parquet").read_bytes()


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no folder"):
        import_folder(tmp_path / "nowhere", tmp_path, "d")


def test_a_folder_that_cannot_be_read_is_not_passed_over(heads: Path, tmp_path: Path) -> None:
    # Whoever runs this, the system lists no folder with so long a path.
    at = os.open(heads / "no", os.O_RDONLY)
    for _ in range(17):
        os.mkdir("x" * 250, dir_fd=at)
        outer, at = at, os.open("x" * 250, os.O_RDONLY, dir_fd=at)
        os.close(outer)
    os.close(at)
    with pytest.raises(InputError, match="cannot be read"):
        import_folder(heads, tmp_path / "home", "d")


def test_an_interrupted_import_leaves_nothing(heads: Path, tmp_path: Path) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_folder(heads, tmp_path / "home", "d", progress=interrupt)
    assert list((tmp_path / "home").iterdir()) == []


def test_list_shows_the_readable_ones_by_name(heads: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("b", "a"):
        import_folder(heads, home, name)
    (home / "broken").mkdir()
    (home / "broken" / "dataset.json").write_text("{}")
    assert [dataset.name for dataset in list_datasets(home)] == ["a", "b"]
    assert list_datasets(tmp_path / "nowhere") == []


def drop_images(folder: Path) -> None:
    (folder / "images.npy").unlink()


def cut_images(folder: Path) -> None:
    np.save(folder / "images.npy", np.zeros((3, 224, 224), np.uint8))


def empty_images(folder: Path) -> None:
    (folder / "images.npy").write_bytes(b"")


def break_images(folder: Path) -> None:
    (folder / "images.npy").write_bytes(b"PK\x03\x04 is how a zip file begins")


def break_header(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes().replace(b"}", b" ", 1))


def zip_images(folder: Path) -> None:
    with (folder / "images.npy").open("wb") as file:
        np.savez(file, images=np.zeros((20, 224, 224), np.uint8))


def break_manifest(folder: Path) -> None:
    (folder / "manifest.parquet").write_bytes(b"PAR1")


def forget_a_class(folder: Path) -> None:
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(text | {"classes": ["no"]}))


def change_preprocessing(folder: Path) -> None:
    text = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(text | {"preprocessing": {"name": "other"}}))


@pytest.mark.parametrize(
    "damage",
    [
        drop_images,
        cut_images,
        empty_images,
        break_images,
        break_header,
        zip_images,
        break_manifest,
        forget_a_class,
        change_preprocessing,
    ],
)
def test_a_damaged_dataset_does_not_open(
    heads: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    import_folder(heads, tmp_path, "d")
    damage(tmp_path / "d")
    with pytest.raises(InvalidDataset):
        Dataset.open(tmp_path / "d")


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images in {DATA}")
def test_real_images_import_without_a_refusal_and_their_copies_are_found(tmp_path: Path) -> None:
    dataset = import_folder(DATA / "navoneel", tmp_path, "real")
    assert dataset.refused == []
    assert dataset.tumour_classes == ["yes"]
    assert len(set(dataset.groups.tolist())) < 0.9 * len(dataset.labels)
    shares = [len(dataset.split(name)) / len(dataset.labels) for name in SPLITS]
    assert shares == pytest.approx([0.7, 0.075, 0.075, 0.15], abs=0.02)
