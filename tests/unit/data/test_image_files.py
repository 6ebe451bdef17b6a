"""Image files of every kind give three 8-bit channels, or are known for what they are."""

from __future__ import annotations

from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image, ImageOps

from kdbench.data.findings import Finding, find, find_by_header
from kdbench.data.images import Unreadable, read
from tests.unit.data.pictures import cut, pixels, save


def made(file: Path, mode: str) -> Path:
    image = Image.fromarray(pixels())
    if mode == "16":
        cv2.imwrite(str(file), pixels()[..., ::-1].astype(np.uint16) * 257)
    elif mode == "16 grey":
        Image.fromarray(pixels()[..., 0].astype(np.uint16) * 257).save(file)
    elif mode == "animated":
        image.save(file, save_all=True, append_images=[image.rotate(180)])
    else:
        image.convert(mode).save(file)
    return file


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.jpg", "RGB"),
        ("a.JPEG", "L"),
        ("a.jpg", "CMYK"),
        ("a.png", "P"),
        ("a.png", "RGBA"),
        ("a.png", "LA"),
        ("a.png", "1"),
        ("a.png", "16"),
        ("a.png", "16 grey"),
        ("a.tif", "16 grey"),
        ("a.tif", "CMYK"),
        ("a.webp", "RGBA"),
        ("a.webp", "animated"),
        ("a.gif", "animated"),
        ("a.bmp", "RGB"),
    ],
)
def test_three_channels_of_eight_bits(tmp_path: Path, name: str, mode: str) -> None:
    file = made(tmp_path / name, mode)
    picture = read(file)
    assert picture.whole
    assert picture.pixels.shape == (64, 96, 3)
    assert picture.pixels.dtype == np.uint8
    assert np.array_equal(picture.pixels, mmcv.imfrombytes(file.read_bytes()))
    # Not black, white or of another frame: near to what was drawn, grey ones to their grey.
    drawn = pixels()[..., ::-1].astype(float)
    if mode in ("L", "LA"):
        drawn = np.repeat(drawn @ [[0.114], [0.587], [0.299]], 3, axis=2)
    elif mode == "16 grey":
        drawn = np.repeat(drawn[..., 2:], 3, axis=2)
    if mode != "1":
        assert np.abs(picture.pixels - drawn).mean() < 25
    assert (find(file).width, find(file).height, find(file).problem) == (96, 64, "")


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95, 0.999])
def test_a_jpeg_that_ends_early_is_used_as_far_as_it_goes(
    tmp_path: Path, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    file = cut(save(tmp_path / "a.jpg"), share)
    picture = read(file)
    assert not picture.whole
    assert np.array_equal(picture.pixels, cv2.imread(str(file)))
    capfd.readouterr()
    assert (find(file).width, find(file).height, find(file).cut) == (96, 64, True)
    assert find_by_header(file) == find(file)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\0" * 5000, "nothing but zeros"),
        (b"<!DOCTYPE html>\n<html></html>", "HTML page"),
        (b"\n <HTML>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "Git LFS pointer.*git lfs pull"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*convert"),
        (b"\xff\xd8\xff\xe0", "JPEG that is cut"),
        (b"words", "no image"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    with pytest.raises(Unreadable, match=words) as error:
        read(file)
    assert find(file).problem == find_by_header(file).problem == str(error.value)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif", "a.bmp", "a.tif"])
def test_other_formats_that_are_cut(tmp_path: Path, name: str) -> None:
    assert "cut or damaged" in find(cut(save(tmp_path / name))).problem or name in ("a.webp", "a.tif")
    assert find(tmp_path / name).problem


def test_samples_of_32_bits_are_told(tmp_path: Path) -> None:
    Image.fromarray(pixels()[..., 0].astype(np.float32)).save(tmp_path / "a.tif")
    assert "32-bit" in find(tmp_path / "a.tif").problem


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.jpg", "wb") as file:
        file.truncate(2**30 + 1)  # takes no room on the disk
    assert "larger than 1 GiB" in find(tmp_path / "a.jpg").problem


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    assert "cannot be opened (No such file" in find(tmp_path / "a.jpg").problem


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_sizes_of_an_image_that_is_turned(tmp_path: Path, name: str, orientation: int) -> None:
    file = save(tmp_path / name, orientation=orientation)
    shown = (64, 96) if orientation > 4 else (96, 64)
    found = find(file)
    digest = found.digest
    assert found == Finding(*shown, 96, 64, orientation, digest=digest)
    assert read(file).pixels.shape[:2] == shown[::-1]
    assert read(file, stored=True).pixels.shape[:2] == (64, 96)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_back(tmp_path: Path, orientation: int) -> None:
    """OpenCV leaves no TIFF's orientation alone, whatever it is asked for."""
    lying = pixels()
    Image.fromarray(lying).save(tmp_path / "a.tif", tiffinfo={274: orientation})
    with Image.open(tmp_path / "a.tif") as image:
        displayed = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read(tmp_path / "a.tif").pixels[..., ::-1], displayed)
    assert np.array_equal(read(tmp_path / "a.tif", stored=True).pixels[..., ::-1], lying)
    found = find(tmp_path / "a.tif")
    assert (found.width, found.height) == displayed.shape[1::-1]
    assert (found.stored_width, found.stored_height) == lying.shape[1::-1]
