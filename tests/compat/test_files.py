"""Files as Replicate has them: sent, shown, listed, read through a link, deleted, and named as inputs."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import update

from mutoscope.uploads.models import Upload
from tests.api.service import Person, Service, service
from tests.compat.door import Door, Json, door
from tests.world import RunnerProcess, settings_for

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20_000)


async def upload(door: Door, data: bytes = PNG, name: str = "cat.png", **fields: str) -> Json:
    answer = await door.http.post("files", files={"content": (name, data, "text/html")}, data=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_file_is_shown_as_replicate_shows_it(here: Service, anns: Door) -> None:
    made = await upload(anns, metadata=json.dumps({"order": 7}), type="text/html")
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert (made["name"], made["content_type"], made["size"]) == ("cat.png", "image/png", len(PNG))
    assert (made["checksums"], made["etag"], made["metadata"]) == ({"sha256": sha256}, sha256[:32], {"order": 7})
    assert made["urls"]["get"] == f"{here.url}/replicate/v1/files/{made['id']}"
    assert made["created_at"] < made["expires_at"]
    assert (await anns.http.get(made["urls"]["get"])).json() == made
    assert (await upload(anns, filename="other.png"))["name"] == "other.png"


async def test_a_files_name_may_be_written_with_its_character_set(anns: Door) -> None:
    part = b"Content-Disposition: form-data; name=content; filename*=UTF-8''na%C3%AFve.txt"
    form = {"Content-Type": "multipart/form-data; boundary=m"}
    answer = await anns.http.post("files", content=b"--m\r\n" + part + b"\r\n\r\nx\r\n--m--\r\n", headers=form)
    assert (answer.status_code, answer.json()["name"]) == (201, "naïve.txt")


async def test_it_is_the_same_file_in_both_apis(anns: Door, ann: Person) -> None:
    made = await upload(anns)
    same = (await ann.http.get(f"/v1/files/{made['id']}")).json()
    assert (same["name"], same["sha256"]) == (made["name"], made["checksums"]["sha256"])


async def test_files_are_listed_in_pages_newest_first(anns: Door, bobs: Door) -> None:
    made = [(await upload(anns, b"x", f"{n}.txt"))["id"] for n in range(101)]
    first = (await anns.http.get("files")).json()
    rest = (await anns.http.get(first["next"])).json()
    assert [one["id"] for one in (*first["results"], *rest["results"])] == made[::-1]
    assert (len(first["results"]), first["previous"], rest["next"]) == (100, None, None)
    assert (await bobs.http.get("files")).json()["results"] == []
    assert (await anns.http.get("files?cursor=%00")).status_code == 422


async def test_a_deleted_file_is_gone(anns: Door) -> None:
    made = await upload(anns)
    assert (await anns.http.delete(f"files/{made['id']}")).status_code == 204
    for method, url in (("DELETE", made["urls"]["get"]), ("GET", made["urls"]["get"]), ("GET", download(made))):
        assert (await anns.http.request(method, url)).status_code == 404, (method, url)


def download(made: Json) -> str:
    return made["urls"]["download"]


async def test_whoever_holds_the_link_reads_the_bytes(anns: Door) -> None:
    made = await upload(anns)
    async with httpx.AsyncClient() as anybody:
        whole = await anybody.get(download(made))
        part = await anybody.get(download(made), headers={"Range": "bytes=0-9"})
    assert (whole.content, whole.headers["content-type"]) == (PNG, "image/png")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert (part.status_code, part.content) == (206, PNG[:10])


async def test_nobody_makes_a_link_for_himself(anns: Door, bobs: Door) -> None:
    hers, his = await upload(anns), await upload(bobs)
    good, other = httpx.URL(download(hers)), httpx.URL(download(his))
    later = str(int(good.params["expiry"]) + 1)
    for guess in (
        good.copy_set_param("expiry", later),
        good.copy_set_param("expiry", "never"),
        good.copy_set_param("owner", "bob"),
        good.copy_set_param("signature", other.params["signature"]),
        good.copy_set_param("signature", "é"),
        good.copy_remove_param("signature"),
        good.copy_with(path=urlsplit(download(his)).path),
    ):
        answer = await bobs.http.get(guess)
        assert (answer.status_code, answer.json()["detail"]) == (404, "File not found"), guess


async def test_a_link_ends_when_it_says_so_though_the_file_is_kept_longer(here: Service, anns: Door) -> None:
    made = await upload(anns)
    url = httpx.URL(download(made))
    then = datetime.fromtimestamp(1, UTC)
    signature = here.runtime.links.stand_for(f"ann {made['id']} {int(then.timestamp())}")
    old = url.copy_merge_params({"expiry": "1", "signature": signature})
    assert (await anns.http.get(old)).status_code == 404
    assert (await anns.http.get(url)).status_code == 200


async def test_an_expired_file_is_there_for_nobody(here: Service, anns: Door) -> None:
    made = await upload(anns)
    async with here.runtime.database.write() as session:
        await session.execute(update(Upload).values(expires_at=here.runtime.clock.now()))
    for url in (made["urls"]["get"], download(made)):
        assert (await anns.http.get(url)).status_code == 404
    assert (await anns.http.get("files")).json()["results"] == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"bytes", "application/octet-stream"),
        (b"", "multipart/form-data; boundary=m"),
        (b"--m\r\n", "multipart/form-data; boundary=m"),
        (
            b'--m\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}\r\n--m--\r\n',
            "multipart/form-data; boundary=m",
        ),
    ],
)
async def test_what_is_no_form_with_a_file_is_refused(anns: Door, body: bytes, content_type: str) -> None:
    answer = await anns.http.post("files", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (await anns.http.get("files")).json()["results"] == []


async def test_a_file_may_be_larger_than_a_request(anns: Door) -> None:
    data = PNG + bytes(3 * 1024 * 1024)
    made = await upload(anns, data)
    assert (await anns.http.get(download(made))).content == data


@pytest.mark.parametrize("size_bytes", [1001, 200_000])
async def test_a_file_that_is_too_large_is_refused_and_nothing_is_kept(
    database_url: str, tmp_path: Path, runner: RunnerProcess, size_bytes: int
) -> None:
    settings = settings_for(database_url, tmp_path, runner, uploads={"max_bytes": 1000})
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        answer = await anns.http.post("files", files={"content": ("big", bytes(size_bytes))})
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert str(answer.json()["status"]) == "413"
        assert answer.json()["detail"]
        assert (await anns.http.get("files")).json()["results"] == []


async def test_metadata_that_is_no_object_is_refused(anns: Door) -> None:
    answer = await anns.http.post("files", files={"content": ("a", b"x")}, data={"metadata": "[]"})
    assert answer.status_code == 422
    assert (await anns.http.get("files")).json()["results"] == []


@pytest.mark.parametrize("named_by", ["get", "download"])
async def test_an_input_names_a_file_by_its_url(here: Service, anns: Door, named_by: str) -> None:
    made = await upload(anns, b"a small text")
    done = await anns.run(text=made["urls"][named_by], output="number")
    assert done["status"] == "succeeded", done["error"]
    assert done["input"]["text"] == made["urls"][named_by]
    (sent,) = here.runner.predictions("data:text/plain;base64,YSBzbWFsbCB0ZXh0")[:1]
    assert sent["input"]["output"] == "number"


async def test_another_accounts_file_is_refused_before_anything_is_charged(anns: Door, bobs: Door, bob: Person) -> None:
    made = await upload(anns)
    for url in (made["id"], *made["urls"].values()):
        answer = await bobs.ask(text=url)
        assert answer.status_code == 422, answer.text
        assert made["id"] in answer.json()["detail"]
    assert await bob.credits() == (1000, 0, 0)
    assert (await bobs.http.get("predictions")).json()["results"] == []


async def test_a_mistyped_link_is_refused_as_one_to_a_file_that_is_not_there(
    here: Service, anns: Door, ann: Person
) -> None:
    made = await upload(anns)
    mistyped = f"{made['id'][:-1]}X"
    for url in (made["urls"]["get"], download(made)):
        answer = await anns.ask(text=url.replace(made["id"], mistyped))
        assert answer.status_code == 422, answer.text
        assert mistyped in answer.json()["detail"]
    assert await ann.credits() == (1000, 0, 0)
    assert here.runner.predictions(mistyped) == []
