"""The repository's map: what must not be there."""

from pathlib import Path


def test_platform_is_no_package_for_it_would_shadow_the_standard_library() -> None:
    root = Path(__file__).parents[2]
    assert (root / "platform" / "gyrus").is_dir()
    assert not (root / "platform" / "__init__.py").exists()
