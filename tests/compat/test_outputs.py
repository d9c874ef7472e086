"""Output files: links of ours, that do not die while the file is kept, and that the clients can read."""

from pathlib import Path

import httpx
import pytest

from tests.api.service import Person, Service, service
from tests.compat.door import Door, door
from tests.servers.seaweedfs import SeaweedServer
from tests.world import RunnerProcess, settings_for


async def test_a_link_is_read_with_or_without_a_key(here: Service, ann: Person, anns: Door) -> None:
    done = await anns.run(output="file", size_bytes=5000)
    url = done["output"]
    assert url.startswith(f"{here.url}/replicate/outputs/{done['id']}/")
    assert url.endswith("/0.png")
    files = (await ann.http.get(f"/v1/generations/{done['id']}")).json()["files"]
    async with httpx.AsyncClient() as anybody:
        answers = [await anybody.get(url), await anns.http.get(url)]
        part = await anybody.get(url, headers={"Range": "bytes=0-9"})
        head = await anybody.head(url)
        nowhere = await anybody.get(url, headers={"Range": "bytes=9999999-"})
        odd = await anybody.get(url, headers={"Range": "words=1-2"})
    assert (nowhere.status_code, nowhere.json()["status"]) == (416, 416)
    assert nowhere.headers["content-range"] == f"bytes */{files[0]['size_bytes']}"
    assert (odd.status_code, odd.json()["title"]) == (400, "The range is not valid")
    for answer in answers:
        assert (answer.status_code, len(answer.content)) == (200, files[0]["size_bytes"])
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (part.status_code, part.content) == (206, answers[0].content[:10])
    assert (head.status_code, head.content) == (200, b"")
    assert (await anns.get(done["id"]))["output"] == url, "the same link for ever"


async def test_each_file_has_its_own_link(anns: Door) -> None:
    done = await anns.run(output="files")
    links = done["output"]
    assert len(links) == len(set(links)) > 1
    for number, link in enumerate(links):
        assert f"/{number}." in link
        assert (await anns.http.get(link)).status_code == 200


async def test_nobody_makes_a_link_for_himself(here: Service, anns: Door, bobs: Door) -> None:
    hers, his = await anns.run(output="files"), await bobs.run(output="files")
    url: str = hers["output"][0]
    signature, other = url.split("/")[-2], his["output"][0].split("/")[-2]
    for guess in (
        url.replace("/0.", "/1."),
        url.replace(signature, other),
        url.replace(signature, "0" * 64),
        url.replace(signature, "é"),
        url.replace(hers["id"], his["id"]),
    ):
        assert (await bobs.http.get(guess)).status_code == 403, guess
    for nothing in (url + ".exe.exe", url.replace("/0.", "/x."), url.replace("/0.", "/99999."), url + "/more"):
        assert (await bobs.http.get(nothing)).status_code == 404, nothing


async def test_when_the_file_is_gone_the_link_says_so(here: Service, anns: Door) -> None:
    done = await anns.run(output="file")
    files = await here.runtime.generations.files([done["id"]])
    await here.runtime.store.delete(files[done["id"]][0].key)
    answer = await anns.http.get(done["output"])
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_from_a_bucket_it_comes_whole_without_a_redirect(
    database_url: str, tmp_path: Path, runner: RunnerProcess, seaweedfs: SeaweedServer
) -> None:
    """The official Python client follows no redirect. A player that wants a part is sent to the bucket."""
    settings = settings_for(
        database_url,
        tmp_path,
        runner,
        **seaweedfs.new_bucket(),
    )
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        done = await anns.run(output="file", size_bytes=3_000_000)
        whole = await anns.http.get(done["output"])
        assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
        assert len(whole.content) == int(whole.headers["content-length"]) >= 3_000_000
        head = await anns.http.head(done["output"])
        assert (head.status_code, head.headers["content-length"]) == (200, whole.headers["content-length"])
        sent_on = await anns.http.get(done["output"], headers={"Range": "bytes=0-9"})
        assert (sent_on.status_code, sent_on.headers["cache-control"]) == (307, "no-store")
        async with httpx.AsyncClient() as anybody:
            part = await anybody.get(sent_on.headers["location"], headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.content) == (206, whole.content[:10])
