import hashlib
import json
from pathlib import Path

import httpx
import pytest

from tests.runner.harness import Client, Json, eventually, running


async def upload(runner: Client, data: bytes = b"hello\r\n--not the boundary\r\n", **fields: str) -> httpx.Response:
    return await runner.http.post("/v1/files", files={"content": ("ü.txt", data, "text/plain")}, data=fields)


async def test_an_upload_is_kept_as_it_came(runner: Client) -> None:
    data = bytes(range(256)) * 1000
    answer = await upload(runner, data, metadata=json.dumps({"ref": 1}))
    known = answer.json()
    assert answer.status_code == 201
    assert (known["size"], known["content_type"], known["metadata"]) == (len(data), "text/plain", {"ref": 1})
    assert known["checksums"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert (await runner.http.get(known["urls"]["get"])).json() == known
    assert (await runner.http.get("/v1/files")).json()["results"] == [known]
    runner.http.headers.pop("authorization")
    download = await runner.http.get(known["urls"]["download"])
    assert (download.content, download.headers["content-type"].split(";")[0]) == (data, "text/plain")


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ('filename="naïve ☃.txt"', "naïve ☃.txt"),
        ('filename="naïve"', "naïve"),
        ("filename*=UTF-8''na%C3%AFve%20%E2%98%83.txt", "naïve ☃.txt"),
        (r'filename="a \"b\".txt"', 'a "b".txt'),
    ],
)
async def test_a_name_is_kept_however_it_was_written(runner: Client, parameter: str, name: str) -> None:
    """Clients send it as it is, in UTF-8, or in the way of RFC 5987."""
    head = f'--b\r\ncontent-disposition: form-data; name="content"; {parameter}\r\n\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await runner.http.post("/v1/files", content=f"{head}x\r\n--b--\r\n".encode(), headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, name)


async def test_a_name_that_is_not_utf_8_is_kept_as_far_as_it_can_be_read(runner: Client) -> None:
    head = b'--b\r\ncontent-disposition: form-data; name="content"; filename="na\xefve.txt"\r\n\r\nx\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await runner.http.post("/v1/files", content=head, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "na\ufffdve.txt")


@pytest.mark.parametrize("media_type", ["image/☃", "image/png\r\nx-more: 1", " image/png", "a" * 300])
async def test_a_type_that_no_download_could_name_is_refused(runner: Client, media_type: str) -> None:
    answer = await upload(runner, type=media_type)
    assert (answer.status_code, answer.json()["detail"]) == (422, f"{media_type[:100]!r} is not a media type.")
    part = '--b\r\ncontent-disposition: form-data; name="content"\r\ncontent-type: image/☃\r\n\r\nx\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert (await runner.http.post("/v1/files", content=part.encode(), headers=headers)).status_code == 422


async def test_uploads_are_listed_page_by_page(runner: Client) -> None:
    made = [(await upload(runner, b"x")).json()["id"] for _ in range(103)]
    first = await listing(runner)
    second = (await runner.http.get(str(first["next"]))).json()
    listed = [one["id"] for page in (first, second) for one in page["results"]]
    assert (listed, len(first["results"]), second["next"]) == (made[::-1], 100, None)


async def test_a_deleted_upload_is_gone(runner: Client, tmp_path: Path) -> None:
    url = (await upload(runner)).json()["urls"]["get"]
    assert (await runner.http.delete(url)).status_code == 204
    assert (await runner.http.get(url)).status_code == 404
    assert (await runner.http.delete(url)).status_code == 404
    assert not any((tmp_path / "state" / "uploads").iterdir())


async def test_a_download_needs_a_link_that_was_signed_for_it(runner: Client) -> None:
    one, other = [(await upload(runner, data)).json()["urls"]["download"] for data in (b"one", b"other")]
    query = one.partition("?")[2]
    forged = [
        one.partition("?")[0],
        f"{other.partition('?')[0]}?{query}",
        one.replace("owner=local", "owner=me"),
        one.replace("expiry=", "expiry=1"),
        one.replace("signature=", "signature=x"),
        one.replace("expiry=", "expiry=%C2%B2"),
    ]
    assert [(await runner.http.get(url)).status_code for url in forged] == [404] * len(forged)


@pytest.mark.parametrize("upload_id", ["a" * 26, "x" * 300])
async def test_an_input_that_names_no_upload_fails_its_prediction(tmp_path: Path, upload_id: str) -> None:
    painter = f"{Path(__file__).parent / 'predictors' / 'poet.py'}:Painter"
    async with running(tmp_path, models=[], predictors={"local/sizes": painter}) as runner:
        failed = await runner.run({"sizes": [f"{runner.url}/v1/files/{upload_id}"]}, model="local/sizes")
        assert failed["error"].startswith("The file input could not be fetched")


async def test_an_upload_ends_with_the_retention(tmp_path: Path) -> None:
    async with running(tmp_path, retention_s=0.3) as runner:
        await upload(runner)
        await eventually(lambda: listing(runner), lambda page: not page["results"])
        assert not any((tmp_path / "uploads").iterdir())


async def listing(runner: Client) -> Json:
    return (await runner.http.get("/v1/files")).json()


async def test_what_is_no_upload_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, max_upload_bytes=1000) as runner:
        assert (await upload(runner, b"x" * 80_000)).status_code == 413
        assert (await upload(runner, metadata="[]")).status_code == 422
        refused = await runner.http.post("/v1/files", files={"other": ("a", b"x")})
        assert refused.status_code == 422
        assert (await runner.http.post("/v1/files", json={})).status_code == 422
        assert not any((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--b\r\n",
        b"--b\r\ncontent-disposition: form-data; name=content\r\n\r\nx",
        b"--b\r\n\r\nx\r\n--b--",
        b"\r\n--b\r\n" * 50,
    ],
)
async def test_a_garbled_body_is_refused(runner: Client, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = await runner.http.post("/v1/files", content=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
