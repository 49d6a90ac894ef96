"""The BIOS image: where it is looked for, and what is not one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guestmap.base import KIB, MIB, ConfigError, HostError
from guestmap.firmware import find_bios, load_bios
from guestmap.firmware.images import BIOS_NAME, seabios_version


def image(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xf4" * size)
    return path


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def test_a_given_path_comes_first(tmp_path: Path) -> None:
    given = image(tmp_path / "mine.bin", 64 * KIB)
    other = image(tmp_path / "dist" / "bios-256k.bin", 64 * KIB)
    environ = {"GUESTMAP_BIOS": str(other)}
    assert find_bios(given, environ=environ, directories=[other.parent]) == given


def test_the_environment_comes_before_the_distribution(tmp_path: Path) -> None:
    chosen = image(tmp_path / "mine.bin", 64 * KIB)
    other = image(tmp_path / "dist" / "bios-256k.bin", 64 * KIB)
    environ = {"GUESTMAP_BIOS": str(chosen)}
    assert find_bios(environ=environ, directories=[other.parent]) == chosen


def test_the_first_directory_that_has_it_wins(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    first = image(tmp_path / "one" / "bios-256k.bin", 64 * KIB)
    image(tmp_path / "two" / "bios-256k.bin", 64 * KIB)
    directories = [tmp_path / "absent", tmp_path / "empty", tmp_path / "one", tmp_path / "two"]
    assert find_bios(environ={}, directories=directories) == first


def test_a_directory_may_be_given(tmp_path: Path) -> None:
    there = image(tmp_path / "bios-256k.bin", 64 * KIB)
    assert find_bios(tmp_path, environ={}, directories=[]) == there
    assert find_bios(environ={"GUESTMAP_BIOS": str(tmp_path)}, directories=[]) == there


def test_the_error_lists_where_it_was_looked_for(tmp_path: Path) -> None:
    directories = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(ConfigError) as caught:
        find_bios(environ={}, directories=directories)
    text = str(caught.value)
    assert all(str(directory / "bios-256k.bin") in text for directory in directories)
    assert "seabios" in text
    assert "GUESTMAP_BIOS" in text


@pytest.mark.parametrize(
    ("path", "environ"),
    [
        ("/nowhere/nothing.bin", {}),
        (None, {"GUESTMAP_BIOS": "/nowhere/nothing.bin"}),
        ("/nowhere/nothing.bin" + "x" * 5000, {}),
    ],
)
def test_a_chosen_image_that_is_missing_is_not_replaced(
    tmp_path: Path, path: str | None, environ: dict[str, str]
) -> None:
    there = image(tmp_path / "bios-256k.bin", 64 * KIB)
    with pytest.raises(ConfigError, match=r"nothing\.bin.*does not exist"):
        find_bios(path, environ=environ, directories=[there.parent])


@pytest.mark.parametrize("size", [64 * KIB, 128 * KIB, 256 * KIB, 16 * MIB])
def test_whole_images_load(tmp_path: Path, size: int) -> None:
    assert len(load_bios(sparse(tmp_path / "bios.bin", size))) == size


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (0, "is empty"),
        (1, "not a multiple of 64 KiB"),
        (256 * KIB - 1, "not a multiple of 64 KiB"),
        (16 * MIB + 64 * KIB, "at most 16 MiB"),
        (1 << 40, "at most 16 MiB"),
    ],
)
def test_what_is_not_an_image(tmp_path: Path, size: int, reason: str) -> None:
    path = sparse(tmp_path / "bios.bin", size)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_bios(path)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_bios(tmp_path / "bios.bin")


def test_a_folder_without_the_image_is_told_as_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_bios(tmp_path)
    assert f"{BIOS_NAME} does not exist in the folder {tmp_path} (the given" in str(caught.value)


def test_a_directory_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory"):
        load_bios(tmp_path)


def test_an_endless_file_is_not_an_image() -> None:
    with pytest.raises(ConfigError, match="not a regular file"):
        load_bios("/dev/zero")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bios.bin")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_bios(tmp_path / "bios.bin")


@pytest.mark.parametrize("name", ["", "a\0b", "/dev/null/bios.bin"])
def test_names_that_no_file_has(name: str) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_bios(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = image(tmp_path / "bios.bin", 64 * KIB)
    path.chmod(0)
    with pytest.raises(HostError, match=str(path)):
        load_bios(path)


@pytest.mark.seabios
def test_the_distribution_has_one() -> None:
    data = load_bios(find_bios(environ={}))
    assert data[-16:-15] == b"\xea"  # the reset vector is a far jump


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (
            b"..SeaBIOS (version %s)\n\0..GCC 12.2.0-14) 12.2.0\0\x901.16.2-debian-1.16.2-1\0",
            "1.16.2",
        ),
        (b"1.17.0-prebuilt.example\0 SeaBIOS (version %s)", "1.17.0"),
        (b"another firmware 1.2.3-4\0", ""),
        (b"SeaBIOS (version %s)", ""),
    ],
)
def test_the_version_that_seabios_has_in_its_image(image: bytes, version: str) -> None:
    assert seabios_version(image) == version
