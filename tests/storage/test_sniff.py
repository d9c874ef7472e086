"""Files are known by their first bytes; here they are made by common libraries or after their specifications."""

import gzip
import io
import json
import struct
import tarfile
import wave
import zipfile

import pytest
from PIL import Image

from mutoscope.storage.sniff import SNIFF_BYTES, sniff


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 32), (200, 30, 90)).save(file, kind)
    return file.getvalue()


def sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(bytes(800))
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("a.txt", "hello")
    return file.getvalue()


def tarball() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        packed.addfile(tarfile.TarInfo("weights.bin"))
    return file.getvalue()


def iso(*brands: bytes) -> bytes:
    box = brands[0] + bytes(4) + b"".join(brands)
    return struct.pack(">I", len(box) + 8) + b"ftyp" + box + struct.pack(">I", 16) + b"moov" + bytes(8)


def ebml(doc_type: bytes) -> bytes:
    fields = (
        b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82"
        + bytes([0x80 | len(doc_type)])
        + doc_type
    )
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(fields)]) + fields


def glb() -> bytes:
    scene = json.dumps({"asset": {"version": "2.0"}}).encode()
    scene += b" " * (-len(scene) % 4)
    return struct.pack("<4sII", b"glTF", 2, 20 + len(scene)) + struct.pack("<I4s", len(scene), b"JSON") + scene


OGG = b"OggS\0\x02" + bytes(8) + b"\x01\0\0\0" + bytes(8) + b"\x01\x1e"
BINARY = {
    "png": ("image/png", picture("PNG")),
    "jpg": ("image/jpeg", picture("JPEG")),
    "webp": ("image/webp", picture("WEBP")),
    "gif": ("image/gif", picture("GIF")),
    "avif": ("image/avif", picture("AVIF")),
    "bmp": ("image/bmp", picture("BMP")),
    "tiff": ("image/tiff", picture("TIFF")),
    "heic": ("image/heic", iso(b"heic", b"mif1")),
    "heif": ("image/heif", iso(b"mif1", b"heic")),
    "mp4": ("video/mp4", iso(b"isom", b"iso2", b"avc1", b"mp41")),
    "mov": ("video/quicktime", iso(b"qt  ")),
    "webm": ("video/webm", ebml(b"webm")),
    "mkv": ("video/x-matroska", ebml(b"matroska")),
    "mp3": ("audio/mpeg", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x64" + bytes(413)),
    "aac": ("audio/aac", b"\xff\xf1\x50\x80\x02\x1f\xfc"),
    "m4a": ("audio/mp4", iso(b"M4A ", b"isom")),
    "wav": ("audio/wav", sound()),
    "avi": ("video/x-msvideo", b"RIFF\x24\0\0\0AVI LIST"),
    "ogg": ("audio/ogg", OGG + b"\x01vorbis" + bytes(23)),
    "ogv": ("video/ogg", OGG + b"\x80theora" + bytes(35)),
    "flac": ("audio/flac", b"fLaC\x80\0\0\x22" + bytes(34)),
    "pdf": ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"),
    "zip": ("application/zip", archive()),
    "gz": ("application/gzip", gzip.compress(b"hello")),
    "tar": ("application/x-tar", tarball()),
    "glb": ("model/gltf-binary", glb()),
}


@pytest.mark.parametrize("extension", BINARY)
def test_binary_formats(extension: str) -> None:
    media_type, data = BINARY[extension]
    assert sniff(data[:SNIFF_BYTES]) == (media_type, extension)


def test_other_beginnings_of_the_same_formats() -> None:
    assert sniff(iso(b"mif1", b"avif"))[0] == "image/avif"
    assert sniff(b"\xff\xfb\x90\x64" + bytes(413))[0] == "audio/mpeg"
    assert sniff(b"\xff\xf3\x48\xc4" + bytes(413))[0] == "audio/mpeg"
    assert sniff(b"PK\x05\x06" + bytes(18))[0] == "application/zip"


NOTHING_KNOWN = [
    *(b"\xff\xff\xff\xff" + bytes(400), b"\xff\xe0\0\0", bytes(64), bytes(range(256)), b"RIFF\0\0\0\0what"),
    *(b"text\0with a zero", b"\xc3\x28 not utf-8", b"\x1b[31m\x00", b"", b"\x7fELF\x02\x01\x01"),
]


@pytest.mark.parametrize("data", NOTHING_KNOWN)
def test_everything_else_is_octets(data: bytes) -> None:
    assert sniff(data) == ("application/octet-stream", "bin")


SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "text",
    [
        SVG,
        f"\ufeff{SVG}",
        f" \r\n\t{SVG}",
        f'<?xml version="1.0" encoding="UTF-8"?>\n{SVG}',
        f"\ufeff \n<?xml version='1.0'?>\n<!-- a -- comment -->\n<!-- <html> --> {SVG}",
        f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">{SVG}',
        f'<!DOCTYPE svg [ <!ENTITY ns "http://www.w3.org/2000/svg"> ]>{SVG}',
        '<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>',
        "<SVG>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_svg_however_it_begins(text: str, encoding: str) -> None:
    assert sniff(text.encode(encoding)) == ("image/svg+xml", "svg")


@pytest.mark.parametrize(
    "text",
    [
        "<!doctype html><p>hello",
        "<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>\n<x>",
        "<HTML><body>",
        "\ufeff\n <!-- hidden --> <ScRiPt>alert(1)</script>",
        "<script src=//evil.example></script>",
        "<iframe src=x>",
        "<img src=x onerror=alert(1)>",
        "<a href=javascript:alert(1)>x</a>",
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>",
        "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
        "<!--" + "x" * 5000 + "--><svg>",
    ],
)
def test_html_however_it_begins_and_whatever_hides_its_kind(text: str) -> None:
    assert sniff(text.encode()[:SNIFF_BYTES]) == ("text/html", "html")


@pytest.mark.parametrize("text", ["<?xml version='1.0'?><feed/>", "<feed xmlns='http://www.w3.org/2005/Atom'/>"])
def test_other_xml(text: str) -> None:
    assert sniff(text.encode()) == ("application/xml", "xml")


@pytest.mark.parametrize("text", ['{"a": 1}', "[]", ' \n[1, 2, {"b": null}]', '{"long": "' + "x" * 9000, "[" * 5000])
def test_json(text: str) -> None:
    assert sniff(text.encode()[:SNIFF_BYTES]) == ("application/json", "json")


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "héllo wörld\r\n\tx",
        "<3 you",
        "a < b",
        "<hello> there",
        "42",
        "{not json}",
        "[also not",
        "ä" * 5000,
        "\x1b[1mbold",
    ],
)
def test_text(text: str) -> None:
    assert sniff(text.encode()[: SNIFF_BYTES - 1 if len(text) > 9 else SNIFF_BYTES]) == ("text/plain", "txt")
