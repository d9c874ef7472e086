"""A signed link opens exactly what it was signed for, until it expires."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.storage.keys import InvalidKey
from mutoscope.storage.links import InvalidLink, LinkExpired, LinkSigner, serving_headers

SECRET = b"0123456789abcdef"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = "acc_1/gen_1/0.png"


def signed(signer: LinkSigner, *, key: str = KEY, media_type: str = "image/png") -> dict[str, str]:
    return dict(parse_qsl(urlsplit(signer.sign(key, NOW + timedelta(minutes=5), media_type)).query))


@pytest.fixture
def signer() -> LinkSigner:
    return LinkSigner(SECRET, "https://media.example.com/")


def test_the_url_names_the_key_and_verifies(signer: LinkSigner) -> None:
    url = urlsplit(signer.sign(KEY, NOW + timedelta(minutes=5), "image/png"))
    assert (url.scheme, url.netloc, url.path) == ("https", "media.example.com", f"/files/{KEY}")
    assert signer.verify(KEY, dict(parse_qsl(url.query)), NOW) == "image/png"


def test_it_ends_to_the_second(signer: LinkSigner) -> None:
    params = signed(signer)
    assert signer.verify(KEY, params, NOW + timedelta(minutes=5, microseconds=-1)) == "image/png"
    with pytest.raises(LinkExpired):
        signer.verify(KEY, params, NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expires", "1895000000"),
        ("expires", ""),
        ("expires", "soon"),
        ("expires", "-1"),
        ("type", "text/html"),
        ("type", ""),
        ("signature", ""),
        ("signature", "0" * 64),
        ("signature", "é"),
    ],
)
def test_a_changed_part_makes_it_worthless(signer: LinkSigner, name: str, value: str) -> None:
    with pytest.raises(InvalidLink):
        signer.verify(KEY, signed(signer) | {name: value}, NOW)


@pytest.mark.parametrize("name", ["expires", "type", "signature"])
def test_a_missing_part_makes_it_worthless(signer: LinkSigner, name: str) -> None:
    params = signed(signer)
    del params[name]
    with pytest.raises(InvalidLink):
        signer.verify(KEY, params, NOW)


@pytest.mark.parametrize("position", range(0, 64, 7))
def test_every_digit_of_the_signature_counts(signer: LinkSigner, position: int) -> None:
    params = signed(signer)
    good = params["signature"]
    bad = good[:position] + ("0" if good[position] != "0" else "1") + good[position + 1 :]
    with pytest.raises(InvalidLink):
        signer.verify(KEY, params | {"signature": bad}, NOW)


def test_it_opens_no_other_key(signer: LinkSigner) -> None:
    for other in ("acc_1/gen_1/1.png", "acc_2/gen_1/0.png", f"{KEY}x", "", f"{KEY}\n"):
        with pytest.raises(InvalidLink):
            signer.verify(other, signed(signer), NOW)


def test_parts_cannot_be_shifted_into_each_other() -> None:
    signer = LinkSigner(SECRET, "https://media.example.com")
    params = signed(signer, key="a/b", media_type="image/png")
    with pytest.raises(InvalidLink):
        signer.verify("a/b" + params["expires"][:1], params | {"expires": params["expires"][1:]}, NOW)


def test_an_expired_link_that_was_also_changed_is_invalid_not_expired(signer: LinkSigner) -> None:
    with pytest.raises(InvalidLink):
        signer.verify(KEY, signed(signer) | {"expires": "1"}, NOW)


def test_old_secrets_still_verify_and_strange_ones_do_not(signer: LinkSigner) -> None:
    params = signed(signer)
    rotated = LinkSigner(
        b"a new secret of length", "https://media.example.com", old_secrets=[b"another old secret", SECRET]
    )
    assert rotated.verify(KEY, params, NOW) == "image/png"
    with pytest.raises(InvalidLink):
        signer.verify(KEY, signed(rotated), NOW)


def test_odd_keys_are_not_signed(signer: LinkSigner) -> None:
    with pytest.raises(InvalidKey):
        signer.sign("../secret", NOW, "image/png")


@pytest.mark.parametrize("secrets", [(b"short",), (SECRET, b"short"), (b"",)])
def test_a_short_secret_is_refused_at_start(secrets: tuple[bytes, ...]) -> None:
    with pytest.raises(ConfigurationError):
        LinkSigner(secrets[0], "https://media.example.com", old_secrets=secrets[1:])


def test_files_are_served_as_what_they_are_and_never_run() -> None:
    for media_type in ("image/svg+xml", "text/html", "application/xml", "application/json", "application/zip"):
        assert serving_headers(media_type)["Content-Disposition"] == "attachment"
    for media_type in ("image/png", "audio/mpeg", "video/mp4", "application/pdf", "text/plain"):
        assert "Content-Disposition" not in serving_headers(media_type)
    headers = serving_headers("image/png")
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_standing_signature_is_good_for_its_name_only_and_for_no_link(signer: LinkSigner) -> None:
    signature = signer.stand_for("gen_1/0")
    signer.verify_standing("gen_1/0", signature)
    for name, given in (("gen_1/1", signature), ("gen_1/0", signature[:-1]), ("gen_1/0", ""), ("gen_1/0", "é")):
        with pytest.raises(InvalidLink):
            signer.verify_standing(name, given)
    for given in (signed(signer)["signature"], LinkSigner(b"another secret of ours", "https://x").stand_for("gen_1/0")):
        with pytest.raises(InvalidLink):
            signer.verify_standing("gen_1/0", given)


def test_standing_signatures_survive_a_change_of_the_secret(signer: LinkSigner) -> None:
    changed = LinkSigner(b"a new secret, 16+", "https://x", old_secrets=[SECRET])
    changed.verify_standing("gen_1/0", signer.stand_for("gen_1/0"))
