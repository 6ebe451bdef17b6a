"""JSON and XML in the encodings that tools write, and what is refused with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdbench.data.reading.json_file import read_json
from kdbench.data.reading.text import lines_of_names
from kdbench.data.reading.xml_file import read_xml
from kdbench.errors import InputError

TEXT = json.dumps({"name": "猫"}, ensure_ascii=False)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii-escaped"]
)
def test_json_in_any_unicode(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(json.dumps({"name": "猫"}).encode() if encoding == "ascii-escaped" else TEXT.encode(encoding))
    assert read_json(file) == {"name": "猫"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": 1,\n "b": [1, 2,],\n}', r"line 2, column \d+\): a comma stands before the closing \]"),
        (b'{"a": 1,\n}', r"line \d, column \d+\): a comma stands before the closing }"),
        (b'{"a": [1, 2', r"line 1, column \d+\); the file may be cut"),
        (b"{'a': 1}", "texts need double quotes"),
        (b'{"a": 1}\n{"a": 2}', r"line 2, column 1\): something follows the end"),
        (b'{"images": [1],\n "images": [2]}', "has the key 'images' twice"),
        (b'{"a":\n "\xc3\xa8\xb0"}', "line 2: is not UTF-8 text"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
        (b"[" * 100_000, "nested too deep"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "pointer of Git LFS"),
        (b"<!DOCTYPE html><html>", "is an HTML page"),
        (b"\x1f\x8b\x08\x00", "is packed with gzip"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=rf"a\.json: .*{words}") as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)


def test_a_folder_or_a_device_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "gone"):
        with pytest.raises(InputError, match="is not a file"):
            read_json(path)


def test_a_key_given_twice_with_one_value_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1, "a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}


def xml(name: str, encoding: str | None) -> str:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>\n' if encoding else ""
    return f"{declaration}<annotation><name>{name}</name></annotation>"


@pytest.mark.parametrize(
    ("declared", "written", "name"),
    [
        (None, "utf-8", "猫"),
        ("UTF-8", "utf-8-sig", "猫"),
        ("utf-16", "utf-16", "猫"),
        (None, "utf-16", "猫"),
        ("GB2312", "gb2312", "猫"),
        ("gb2312", "gbk", "喆"),
        ("GBK", "gbk", "猫"),
        ("gb18030", "gb18030", "猫"),
        ("Big5", "big5", "貓"),
        ("Shift_JIS", "shift_jis", "ねこ"),
        ("shift_jis", "cp932", "①"),
        ("EUC-KR", "euc_kr", "고양이"),
        ("ISO-8859-1", "latin-1", "café"),
        ("windows-1251", "cp1251", "кот"),
    ],
)
def test_xml_by_its_declaration(tmp_path: Path, declared: str | None, written: str, name: str) -> None:
    (tmp_path / "a.xml").write_bytes(xml(name, declared).encode(written))
    tree = read_xml(tmp_path / "a.xml")
    assert (tree.root.findtext("name"), tree.mended) == (name, "")


@pytest.mark.parametrize("declared", ["nonsense", "utf8mb4", "base64", "GB2312 ", ""])
def test_xml_with_a_name_that_is_no_encoding(tmp_path: Path, declared: str) -> None:
    (tmp_path / "a.xml").write_bytes(xml("chat noir", declared).encode())
    assert read_xml(tmp_path / "a.xml").root.findtext("name") == "chat noir"
    (tmp_path / "a.xml").write_bytes(xml("caf\xe9", "nonsense").encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.xml: line 2: its encoding 'nonsense' is unknown"):
        read_xml(tmp_path / "a.xml")


def test_utf_8_that_says_utf_16(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(xml("猫", "utf-16").encode())
    assert read_xml(tmp_path / "a.xml").root.findtext("name") == "猫"


def test_utf_8_under_another_name_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(xml("日本語", "Shift_JIS").encode())
    tree = read_xml(tmp_path / "a.xml")
    assert tree.root.findtext("name") == "日本語"
    assert "read as UTF-8" in tree.mended


def test_bytes_of_no_encoding_outside_of_names_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"<annotation><path>C:\\\xd5\xd5\xc6\xac</path><name>cat</name></annotation>")
    tree = read_xml(tmp_path / "a.xml")
    assert tree.root.findtext("name") == "cat"
    assert "left out" in tree.mended


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("<annotation><name>cats & dogs</name></annotation>", "cats & dogs"),
        ("<annotation><name>a &amp; b &c; d</name></annotation>", "a & b &c; d"),
        ('<annotation xmlns="http://x/y"><name>cat</name></annotation>', "cat"),
        ('<v:annotation xmlns:v="http://x/y"><v:name>cat</v:name></v:annotation>', "cat"),
        ('\n <?xml version="1.0"?><annotation><name>cat</name></annotation>', "cat"),
    ],
)
def test_xml_that_is_mended(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    assert read_xml(tmp_path / "a.xml").root.findtext("name") == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation>\n<name>a < b</name></annotation>", "broken XML at line 2"),
        ("<annotation>", "broken XML at line 1"),
        ("", "is empty"),
        ("<html><body>404</body></html>", "is an HTML page"),
    ],
)
def test_xml_that_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=rf"a\.xml: .*{words}") as error:
        read_xml(tmp_path / "a.xml")
    assert "\n" not in str(error.value)


def test_entities_are_refused_and_do_not_blow_up(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 10))
    (tmp_path / "a.xml").write_text(f'<!DOCTYPE a [<!ENTITY b0 "bbbbbbbbbb">{entities}]><a>&b9;</a>')
    with pytest.raises(InputError, match=r"a\.xml: declares entities of its own"):
        read_xml(tmp_path / "a.xml")


def test_xml_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>" * 200_000 + "</a>" * 200_000)
    assert sum(1 for _ in read_xml(tmp_path / "a.xml").root.iter()) == 200_000


def test_lists_of_power_shell(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("im1\r\n\r\n im2 \r\n".encode("utf-16"))
    assert lines_of_names(tmp_path / "a.txt") == ["im1", "im2"]
