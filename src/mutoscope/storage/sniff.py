"""What a file is, from its first bytes alone: never from what somebody says it is.

The signatures are those of the formats' own specifications and of the WHATWG MIME Sniffing Standard.
"""

import codecs
import json
import re

SNIFF_BYTES = 4096
OCTETS = ("application/octet-stream", "bin")
TEXT = ("text/plain", "txt")
HTML = ("text/html", "html")
SVG = ("image/svg+xml", "svg")
XML = ("application/xml", "xml")
JSON = ("application/json", "json")
_SHOWN_KINDS = ("image/", "audio/", "video/")
_SHOWN = frozenset({"application/pdf", "text/plain"})

_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png", "png"),
    (0, b"\xff\xd8\xff", "image/jpeg", "jpg"),
    (0, b"GIF87a", "image/gif", "gif"),
    (0, b"GIF89a", "image/gif", "gif"),
    (0, b"II*\0", "image/tiff", "tiff"),
    (0, b"MM\0*", "image/tiff", "tiff"),
    (0, b"ID3", "audio/mpeg", "mp3"),
    (0, b"fLaC", "audio/flac", "flac"),
    (0, b"%PDF-", "application/pdf", "pdf"),
    (0, b"PK\x03\x04", "application/zip", "zip"),
    (0, b"PK\x05\x06", "application/zip", "zip"),
    (0, b"\x1f\x8b\x08", "application/gzip", "gz"),
    (0, b"glTF\x02\0\0\0", "model/gltf-binary", "glb"),
    (257, b"ustar", "application/x-tar", "tar"),
)
_RIFF = {b"WEBP": ("image/webp", "webp"), b"WAVE": ("audio/wav", "wav"), b"AVI ": ("video/x-msvideo", "avi")}
_BRANDS = {
    b"avif": ("image/avif", "avif"),
    b"avis": ("image/avif", "avif"),
    b"heic": ("image/heic", "heic"),
    b"heix": ("image/heic", "heic"),
    b"mif1": ("image/heif", "heif"),
    b"qt  ": ("video/quicktime", "mov"),
    b"M4A ": ("audio/mp4", "m4a"),
}
_HTML_TAGS = frozenset(
    {
        "html",
        "head",
        "body",
        "script",
        "iframe",
        "h1",
        "h2",
        "h3",
        "div",
        "font",
        "table",
        "a",
        "style",
        "title",
        "b",
        "br",
    }
    | {"p", "img", "form", "meta", "link", "base", "object", "embed", "span", "ul", "ol", "center", "pre", "template"}
)
_PROLOGUE = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>|<!doctype\s[^>\[]*(?:\[[^\]]*\]\s*)?>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<(?:[A-Za-z][\w.-]*:)?([A-Za-z][\w-]*)")
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_JSON_START = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\d\-tfn\]])")


def sniff(head: bytes) -> tuple[str, str]:
    """The media type and the file extension (without a dot) of a file that begins with ``head``.

    Args:
        head: Its first ``SNIFF_BYTES`` bytes, or all of it if it is shorter.
    """
    for offset, magic, media_type, extension in _SIGNATURES:
        if head.startswith(magic, offset):
            return media_type, extension
    return _container(head) or _mpeg_audio(head) or _textual(head) or OCTETS


def is_shown(media_type: str) -> bool:
    """Whether a browser may show it by itself; what could be a program there, and everything else, is saved."""
    return media_type in _SHOWN or (media_type.startswith(_SHOWN_KINDS) and media_type != SVG[0])


def _container(head: bytes) -> tuple[str, str] | None:
    """The families whose members share a signature and say further in what they hold."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return ("video/webm", "webm") if b"\x42\x82\x84webm" in head[:64] else ("video/x-matroska", "mkv")
    if head[:4] == b"OggS":
        return ("video/ogg", "ogv") if b"\x80theora" in head[:64] else ("audio/ogg", "ogg")
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image/bmp", "bmp"
    return None


def _iso_media(head: bytes) -> tuple[str, str]:
    """MP4 and its relatives (ISO 14496-12): the major brand, then the compatible ones, say which."""
    size = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size, 4))]
    if brands[0] == b"mif1" and b"avif" in brands:
        return _BRANDS[b"avif"]
    return _BRANDS.get(brands[0], ("video/mp4", "mp4"))


def _mpeg_audio(head: bytes) -> tuple[str, str] | None:
    """MP3 and AAC frames without a tag before them: eleven set bits, then fields with no reserved value."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return ("audio/aac", "aac") if head[1] & 0xF0 == 0xF0 else None
    # Layer 1, which nobody uses, begins like the byte order mark of UTF-16.
    sound = layer != 3 and version != 1 and head[2] >> 4 not in {0, 15} and head[2] >> 2 & 3 != 3
    return ("audio/mpeg", "mp3") if sound else None


def _textual(head: bytes) -> tuple[str, str] | None:
    text = _decoded(head)
    if text is None or not text or _NOT_TEXT.search(text):
        return None
    if text.lstrip().startswith("<"):
        return _markup(text)
    return JSON if _is_json(text, whole=len(head) < SNIFF_BYTES) else TEXT


def _decoded(head: bytes) -> str | None:
    """The head as text without byte order marks, or ``None``; a character cut off at its end is no fault."""
    encoding = "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head).lstrip("\ufeff")
    except UnicodeDecodeError:
        return None


def _markup(text: str) -> tuple[str, str]:
    """HTML, SVG, other XML, or text that only happens to begin with ``<``. In doubt it is the more dangerous one."""
    at = 0
    while found := _PROLOGUE.match(text, at):
        at = found.end()
    tag = _TAG.match(text, at)
    name = tag[1].lower() if tag else ""
    unfinished = text.startswith(("<!--", "<?", "<!"), at)
    if name == "svg":
        return SVG
    if name in _HTML_TAGS or unfinished or re.match(r"<!doctype\s+html", text.lstrip(), re.IGNORECASE):
        return HTML
    return XML if text.lstrip().startswith("<?xml") or (tag and "xmlns" in text) else TEXT


def _is_json(text: str, *, whole: bool) -> bool:
    if not whole:
        return _JSON_START.match(text) is not None
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
