"""Which URLs may be called."""

import pytest

from mutoscope.core.errors import InvalidRequest
from mutoscope.webhooks.addresses import checked_url, is_public


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0",  # noqa: S104
         "224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1", "240.0.0.1",
        "::",
        "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_are_nobody_elses_business(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("text", ["https://example.com/hook?id=1", "https://8.8.8.8:8443/x", "https://bücher.example/"])
def test_good_urls(text: str) -> None:
    assert checked_url(text, public_only=True).scheme == "https"


def test_in_development_this_machine_may_be_called() -> None:
    assert checked_url("http://localhost:3000/hook", public_only=False).port == 3000


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "/hook", "https://", "https:///hook", "ftp://example.com/", "javascript:alert(1)",
        "https://x..y/", "https://.example.com/", f"https://{'x' * 64}.example/", f"https://{'x.' * 130}example/",
        "https://example.com:99999/", "https://example.com:0/",
        "http://[::1", "https://a b/", "https://user:secret@example.com/", f"https://example.com/{'x' * 2048}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("public_only", [True, False])
def test_what_is_never_called(text: str, public_only: bool) -> None:
    with pytest.raises(InvalidRequest):
        checked_url(text, public_only=public_only)


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/", "https://localhost/", "https://db.internal/", "https://printer.local/",
        "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/", "https://10.1.2.3/",
        "https://2130706433/", "https://0x7f.1/",
    ],
)  # fmt: skip
def test_in_production_only_the_internet_over_https(text: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_url(text, public_only=True)


@pytest.mark.parametrize(("public_only", "wanted"), [(True, "an https URL,"), (False, "an https or http URL,")])
def test_a_refusal_names_what_may_be_called_here(public_only: bool, wanted: str) -> None:
    with pytest.raises(InvalidRequest, match=wanted):
        checked_url("ftp://example.com/", public_only=public_only)
