"""Keys that sign access tokens, and how one takes another's place."""

from datetime import timedelta
from pathlib import Path

import pytest
from jose import jwt

from frontend_api.auth import keys
from frontend_api.auth.tokens import LOOK_S, AccessTokens
from gyrus.errors import InputError, Unauthorized


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = keys.load(tmp_path / "keys")
    assert keys.load(tmp_path / "keys") == first
    assert (tmp_path / "keys" / "key-1.pem").stat().st_mode & 0o777 == 0o600
    assert len(list((tmp_path / "keys").iterdir())) == 1


def add_key(folder: Path, name: str) -> None:
    keys.load(folder / "made")
    (folder / "made" / "key-1.pem").rename(folder / name)


def test_after_a_rotation_old_tokens_are_read_until_their_key_is_gone(tmp_path: Path) -> None:
    lifetime = timedelta(minutes=1)
    old = AccessTokens(tmp_path, lifetime).issue("someone")
    add_key(tmp_path, "key-2.pem")
    rotated = AccessTokens(tmp_path, lifetime)
    assert rotated.read(old) == "someone"
    assert jwt.get_unverified_header(rotated.issue("someone"))["kid"] == "key-2"
    (tmp_path / "key-1.pem").unlink()
    with pytest.raises(Unauthorized):
        AccessTokens(tmp_path, lifetime).read(old)


def test_a_gateway_that_started_before_a_rotation_reads_tokens_of_one_that_started_after(
    tmp_path: Path,
) -> None:
    lifetime = timedelta(minutes=1)
    before = AccessTokens(tmp_path, lifetime)
    add_key(tmp_path, "key-2.pem")
    after = AccessTokens(tmp_path, lifetime)
    assert before.read(after.issue("someone")) == "someone"
    signed = before.issue("someone")
    assert jwt.get_unverified_header(signed)["kid"] == "key-1"
    assert after.read(signed) == "someone"


def test_the_folder_is_read_for_unknown_keys_once_in_a_while(tmp_path: Path) -> None:
    at = 100.0
    lifetime = timedelta(minutes=1)
    before = AccessTokens(tmp_path, lifetime, lambda: at)
    add_key(tmp_path / "other", "key-9.pem")
    unknown = AccessTokens(tmp_path / "other", lifetime).issue("someone")
    with pytest.raises(Unauthorized):
        before.read(unknown)
    add_key(tmp_path, "key-2.pem")
    new = AccessTokens(tmp_path, lifetime).issue("someone")
    with pytest.raises(Unauthorized):
        before.read(new)
    at += LOOK_S
    assert before.read(new) == "someone"


def test_keys_that_were_read_stay_until_the_next_start(tmp_path: Path) -> None:
    lifetime = timedelta(minutes=1)
    before = AccessTokens(tmp_path, lifetime)
    (tmp_path / "key-1.pem").unlink()
    add_key(tmp_path, "key-1.pem")
    add_key(tmp_path, "key-2.pem")
    assert before.read(AccessTokens(tmp_path, lifetime).issue("someone")) == "someone"
    assert before.read(before.issue("someone")) == "someone"


@pytest.mark.parametrize("fault", ["no key", "no file", "no folder"])
def test_a_folder_that_cannot_be_read_again_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    at = 100.0
    folder = tmp_path / "keys"
    lifetime = timedelta(minutes=1)
    before = AccessTokens(folder, lifetime, lambda: at)
    add_key(folder, "key-2.pem")
    new = AccessTokens(folder, lifetime).issue("someone")
    faulty = folder / "key-3.pem"
    if fault == "no key":
        faulty.write_text("hello")
    elif fault == "no file":
        faulty.symlink_to("nothing")
    else:
        folder.rename(tmp_path / "away")
    with pytest.raises(Unauthorized):
        before.read(new)
    assert before.read(before.issue("someone")) == "someone"
    if fault == "no folder":
        (tmp_path / "away").rename(folder)
    else:
        assert "not read again" in caplog.text
        faulty.unlink()
    at += LOOK_S
    assert before.read(new) == "someone"


def test_the_key_with_the_highest_number_signs(tmp_path: Path) -> None:
    keys.load(tmp_path)
    for number in (2, 9, 10):
        (tmp_path / f"key-{number}.pem").write_bytes((tmp_path / "key-1.pem").read_bytes())
    assert keys.load(tmp_path).current == "key-10"


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "key-9.pem").write_text("hello")
    with pytest.raises(InputError, match="key-9"):
        keys.load(tmp_path)
