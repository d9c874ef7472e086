"""Finding models and collections by words."""

import pytest

from tests.runner.harness import Client


async def test_a_search_finds_models_and_collections(runner: Client) -> None:
    found = (await runner.http.get("/v1/search", params={"query": "scribe text"})).json()
    assert found["query"] == "scribe text"
    assert found["models"][0]["model"]["name"] == "scribe"
    scores = [one["metadata"]["score"] for one in found["models"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[0] <= 1
    assert {one["slug"] for one in found["collections"]} >= {"text-to-image", "language-models"}
    assert found["pages"] == []


async def test_a_search_for_what_is_not_there_finds_nothing(runner: Client) -> None:
    found = (await runner.http.get("/v1/search", params={"query": "zzz ~~"})).json()
    assert (found["models"], found["collections"]) == ([], [])


async def test_a_search_can_be_limited(runner: Client) -> None:
    found = (await runner.http.get("/v1/search", params={"query": "mutoscope", "limit": "2"})).json()
    assert len(found["models"]) == 2


@pytest.mark.parametrize("query", [{}, {"query": " "}, {"query": "a", "limit": "0"}, {"query": "a", "limit": "51"}])
async def test_a_search_for_nothing_is_refused(runner: Client, query: dict[str, str]) -> None:
    answer = await runner.http.get("/v1/search", params=query)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


async def test_models_are_searched_by_the_method_query(runner: Client) -> None:
    answer = await runner.http.request("QUERY", "/v1/models", content="upscale")
    assert [one["name"] for one in answer.json()["results"]] == ["upscale"]
    assert (await runner.http.request("QUERY", "/v1/models", content="")).json()["results"] == []


async def test_collections_are_listed_and_read(runner: Client) -> None:
    listed = (await runner.http.get("/v1/collections")).json()["results"]
    assert "super-resolution" in {one["slug"] for one in listed}
    for item in listed:
        collection = (await runner.http.get(f"/v1/collections/{item['slug']}")).json()
        assert {name: collection[name] for name in item} == item
        assert collection["models"]
    assert (await runner.http.get("/v1/collections/none")).status_code == 404
