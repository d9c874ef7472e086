"""Which strings name an uploaded file, and which are only text."""

import pytest

from mutoscope.core.ids import new_id
from mutoscope.uploads.references import named_upload, named_uploads, with_uploads

ID = "file_01m86nx42deeqw969x1xczfkkp"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"https://us.example/v1/files/{ID}",
        f"https://us.example/replicate/v1/files/{ID}",
        f"https://us.example/replicate/v1/files/{ID}/download?owner=a&signature=b%2B",
        f"http://127.0.0.1:8000/files/uploads/acct_1/{ID}.png?expires=1&type=image%2Fpng&signature=0",
        f"https://bucket.s3.amazonaws.com/uploads/acct_1/{ID}.tar?X-Amz-Signature=0#part",
    ],
)
def test_an_id_or_any_link_names_a_file(text: str) -> None:
    assert named_upload(text) == ID


@pytest.mark.parametrize("mistyped", [f"{ID}x", ID[:-1], ID[:-1] + "X", ID.replace("m86", "Iu6")])
@pytest.mark.parametrize(
    "url",
    [
        "https://us.example/v1/files/{}",
        "https://us.example/replicate/v1/files/{}",
        "https://us.example/replicate/v1/files/{}/download?owner=a&signature=b%2B",
        "http://127.0.0.1:8000/files/uploads/acct_01m86nx42deeqw969x1xczfkkp/{}.png?expires=1",
    ],
)
def test_a_mistyped_link_of_ours_names_a_file_that_is_not_there(url: str, mistyped: str) -> None:
    assert named_upload(url.format(mistyped)) == mistyped


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"look at {ID}",
        f"{ID} ",
        f"see https://us.example/v1/files/{ID}",
        f"https://us.example/?file={ID}",
        f"https://us.example/v1/files/{ID}/other",
        f"ftp://us.example/{ID}",
        ID.upper(),
        ID[:-1],
        ID.replace("file", "gen"),
        f"https://elsewhere.example/pictures/{ID}x",
        "https://elsewhere.example/v1/files/file_holiday.png",
        "https://api.replicate.com/v1/files/cneqzikepnug6xezperrr4z55o",
    ],
)
def test_other_text_is_text(text: str) -> None:
    assert named_upload(text) is None


def test_files_are_found_and_replaced_anywhere_in_an_input() -> None:
    other = new_id("file")
    value = {"image": ID, "more": [{"mask": f"https://x/{other}.png"}, ID, 7, None], ID: "a name is no value"}
    assert list(named_uploads(value).items()) == [(ID, 2), (other, 1)]
    sent = with_uploads(value, {ID: "data:1", other: "https://copy"})
    assert sent == {"image": "data:1", "more": [{"mask": "https://copy"}, "data:1", 7, None], ID: "a name is no value"}
    assert with_uploads(value, {}) == value
