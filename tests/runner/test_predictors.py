"""Models of your own: any file with a Cog-style predictor becomes a model with a schema, a queue and all the rest."""

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import component, input_properties
from mutoscope.runner.predictors.describe import default_name
from tests.runner.harness import Client, Json, eventually, receiver, running, until

HERE = Path(__file__).parent / "predictors"
KITCHEN, POET, PATIENT, ODD = (HERE / f"{name}.py" for name in ("kitchen", "poet", "patient", "odd"))
COOK = "local/kitchen"


def own(**references: str) -> dict[str, Any]:
    return {"models": ["mutoscope/echo"], "predictors": {f"local/{name}": one for name, one in references.items()}}


async def schema(runner: Client, name: str) -> Json:
    return (await runner.http.get(f"/v1/models/{name}")).json()["latest_version"]["openapi_schema"]


async def test_the_signature_becomes_the_schema(tmp_path: Path) -> None:
    async with running(tmp_path, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        model = (await runner.http.get(f"/v1/models/{COOK}")).json()
        document = await schema(runner, COOK)
    assert model["description"] == "Cooks what it is told."
    properties = input_properties(document)
    assert list(properties)[:4] == ["name", "heat", "portions", "salted"]
    assert properties["name"]["type"] == "string"
    assert [properties["name"][rule] for rule in ("minLength", "maxLength", "pattern")] == [1, 20, "^[a-z ]+$"]
    assert [properties["heat"][rule] for rule in ("type", "default", "minimum", "maximum")] == ["number", 0.5, 0, 1]
    assert (properties["portions"]["type"], properties["salted"]["type"]) == ("integer", "boolean")
    assert properties["size"]["enum"] == ["small", "large"]
    assert (properties["shape"]["enum"], properties["shape"]["default"]) == (["round", "square"], "round")
    assert properties["course"]["enum"] == ["first", "second"]
    assert (properties["recipe"]["format"], properties["recipe"]["nullable"]) == ("uri", True)
    assert (properties["extras"]["type"], properties["extras"]["items"]) == ("array", {"type": "string"})
    assert (component(document, "Input") or {})["required"] == ["name"]
    output = component(document, "Output") or {}
    assert output["properties"] == {"name": {"type": "string"}, "picture": {"type": "string", "format": "uri"}}


async def test_a_prediction_with_files_logs_and_a_structured_output(tmp_path: Path) -> None:
    async with running(tmp_path, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        given = {"name": "soup", "shape": "square", "extras": ["salt"], "recipe": "data:text/plain,boil%20it"}
        done = await runner.run({**given, "secret": "pepper", "unknown": 1}, model=COOK)
        assert done["status"] == "succeeded", done["error"]
        assert done["output"]["name"] == "soup"
        assert (await runner.http.get(done["output"]["picture"])).text == "boil it"
        assert "cooking soup at 0.5 for 1, small, square, first, True, ['salt']" in done["logs"]
        assert "50%|" in done["logs"]
        assert "the secret is ********** and has 6 letters" in done["logs"]
        uploaded = (await runner.http.post("/v1/files", files={"content": ("r.txt", b"fry it")})).json()
        again = await runner.run({"name": "egg", "recipe": uploaded["urls"]["get"]}, model=COOK)
        assert (await runner.http.get(again["output"]["picture"])).text == "fry it"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"name": ""},
        {"name": "Soup"},
        {"name": "a", "heat": 2},
        {"name": "a", "size": "huge"},
        {"name": "a", "extras": 1},
    ],
)
async def test_an_input_against_the_signature_is_refused(tmp_path: Path, broken: Json) -> None:
    async with running(tmp_path, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        assert (await runner.create(broken, model=COOK)).status_code == 422


async def test_a_cancel_before_the_predictor_has_the_job_stops_it_too(tmp_path: Path) -> None:
    async with running(tmp_path, cancel_grace_s=30, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        canceled = await runner.start({"name": "stew", "seconds": 600}, model=COOK)
        await runner.http.post(f"/v1/predictions/{canceled['id']}/cancel")
        assert (await runner.run({"name": "stew"}, model=COOK))["status"] == "succeeded"


async def test_an_exception_fails_the_prediction_and_not_the_model(tmp_path: Path) -> None:
    async with running(tmp_path, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        failed = await runner.run({"name": "cake", "fail": "too hot"}, model=COOK)
        assert (failed["status"], failed["error"]) == ("failed", "ValueError: too hot")
        assert "Traceback" in failed["logs"]
        done = await runner.run({"name": "cake"}, model=COOK)
        assert (await runner.http.get(done["output"]["picture"])).text == "cake number 2"


@pytest.mark.parametrize("blocked", [set[int](), {signal.SIGUSR1}], ids=["usual", "signal blocked"])
async def test_a_cancel_stops_a_busy_predictor_without_loading_it_again(
    tmp_path: Path, blocked: set[int], request: pytest.FixtureRequest
) -> None:
    """Whatever signals whoever started the runner has blocked."""
    request.addfinalizer(partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, blocked))
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    async with running(tmp_path, cancel_grace_s=30, **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        busy = await runner.start({"name": "stew", "seconds": 600}, model=COOK)
        await eventually(lambda: runner.get(busy["id"]), lambda shown: "cooking stew" in shown["logs"], 60)
        await runner.http.post(f"/v1/predictions/{busy['id']}/cancel")
        done = await runner.run({"name": "stew"}, model=COOK)
        assert (await runner.http.get(done["output"]["picture"])).text == "stew number 2"


@pytest.mark.parametrize("kind", ["Waiter", "Host", "Lister"])
async def test_what_an_asynchronous_predictor_began_ends_with_the_prediction_that_was_canceled(
    tmp_path: Path, kind: str
) -> None:
    async with running(tmp_path, cancel_grace_s=30, **own(patient=f"{PATIENT}:{kind}")) as runner:
        first = await runner.start({"name": "first", "seconds": 600}, model="local/patient")
        comings = 2 if kind == "Lister" else 1
        await eventually(lambda: runner.get(first["id"]), lambda shown: shown["logs"].count("first has") == comings, 60)
        await runner.http.post(f"/v1/predictions/{first['id']}/cancel")
        done = await runner.run({"name": "second", "seconds": 0.1}, model="local/patient")
        assert done["status"] == "succeeded", done["error"]
        said = done["output"] if kind != "Lister" else done["output"][-1]
        present, known, setups = said.split(", ", 2)
        assert "first" not in present
        assert known == "knows first: True", "it was not loaded again"
        assert "pending" in setups, "what the setup began goes on"


async def test_iterators_stream(tmp_path: Path) -> None:
    references = own(poet=f"{POET}:Poet", rhymer=f"{POET}:AsyncPoet")
    async with running(tmp_path, **references) as runner:
        for name, pieces in (("poet", ["word0 ", "word1 "]), ("rhymer", ["True0", "True1"])):
            created = await runner.start({"words": 2}, model=f"local/{name}")
            text = (await runner.http.get(created["urls"]["stream"])).text
            assert text.count("event: output") == 2
            assert (await runner.reach(created["id"], {"succeeded"}))["output"] == pieces
        output = component(await schema(runner, "local/poet"), "Output") or {}
        assert (output["x-cog-array-type"], output["x-cog-array-display"]) == ("iterator", "concatenate")
        assert "x-cog-array-display" not in (component(await schema(runner, "local/rhymer"), "Output") or {})


async def test_lists_of_files_and_plain_functions(tmp_path: Path) -> None:
    async with running(tmp_path, **own(sizes=f"{POET}:Painter", back=f"{POET}:predict")) as runner:
        uploaded = (await runner.http.post("/v1/files", files={"content": ("a", b"12345678")})).json()
        given = ["data:,abc", "data:,abcde", uploaded["urls"]["get"]]
        done = await runner.run({"sizes": given}, model="local/sizes")
        assert [(await runner.http.get(url)).text for url in done["output"]] == ["3", "5", "8"]
        assert (await runner.run({"text": "abc"}, model="local/back"))["output"] == "cba"


async def test_an_output_above_the_limit_fails_its_prediction_and_gets_into_no_other(tmp_path: Path) -> None:
    async with running(tmp_path, **own(odd=f"{ODD}:predict")) as runner:
        large = await runner.run({"kind": "large", "size": 65 * 2**20}, model="local/odd")
        assert (large["status"], large["error"]) == ("failed", "The model gave more than 67108864 bytes at once.")
        for kind in ("first", "second"):
            assert (await runner.run({"kind": kind}, model="local/odd"))["output"] == kind


REPLACED = "half ? pair"


@pytest.mark.parametrize(
    ("kind", "output", "error"),
    [
        ("numbers", [None, None, 1.5], None),
        ("half", REPLACED, None),
        ("error", None, f"ValueError: {REPLACED}"),
        ("deep", None, "The output is nested deeper than 100."),
        ("pairs", None, "The output is not JSON: keys must be str, int, float, bool or None, not tuple"),
    ],
)
async def test_what_json_cannot_hold_hangs_nothing_and_breaks_no_answer(
    tmp_path: Path, kind: str, output: object, error: str | None
) -> None:
    async with running(tmp_path, **own(odd=f"{ODD}:predict")) as runner, receiver(runner.secret) as hook:
        waited = await runner.create({"kind": kind}, model="local/odd", webhook=hook.url, headers={"Prefer": "wait"})
        done = await runner.get(waited.json()["id"])
        assert (done["output"], done["error"]) == (output, error)
        await until(lambda: hook.good == [done])
        assert (await runner.run({}, model="local/odd"))["output"] == "text"


async def test_pieces_that_json_cannot_hold_are_streamed_without_it(tmp_path: Path) -> None:
    async with running(tmp_path, **own(odd=f"{ODD}:pieces")) as runner:
        assert (await runner.run({}, model="local/odd"))["output"] == [None, REPLACED, "end"]


async def test_a_list_that_may_be_none_may_be_null(tmp_path: Path) -> None:
    async with running(tmp_path, **own(odd=f"{ODD}:predict")) as runner:
        for given in ({}, {"names": None}, {"names": ["a", "b"]}):
            done = await runner.run({"kind": "names", **given}, model="local/odd")
            assert (done["error"], done["output"]) == (None, given.get("names"))


GOOD = "from cog import BasePredictor\nclass Predictor(BasePredictor):\n    def predict(self, a: int) -> int:\n"


async def test_a_setup_that_fails_fails_the_predictions_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "predict.py"
    path.write_text(f"{GOOD}        return a\n    def setup(self):\n        raise OSError('no weights')\n")
    async with running(tmp_path / "state", **own(bad=f"{path}:Predictor")) as runner:
        for _ in range(2):
            failed = await runner.run({"a": 1}, model="local/bad")
            assert failed["error"] == "The model could not be set up: OSError: no weights"


ENDED = "cannot be used: it ends the process that imports it."


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("def broken(:", "SyntaxError"),
        ("import a_library_that_is_not_there", "ModuleNotFoundError"),
        ("x = 1", "has no Predictor"),
        ("class Predictor:\n    pass", "neither predict"),
        ("class Predictor:\n    def predict(self, a):\n        pass", "'a' has no type"),
        ("class Predictor:\n    def predict(self, a: set) -> int:\n        pass", "'a' has the type"),
        ("class Predictor:\n    def predict(self, *a: int) -> int:\n        pass", "*a cannot be an input"),
        ("import os; os._exit(0)", ENDED),
        ("import os; os._exit(1)", ENDED),
        ("import os; os._exit(3)", ENDED),
        ("import os; print('no GPU', flush=True); os._exit(3)", f"{ENDED} no GPU"),
        ("import os; os.kill(os.getpid(), 9)", ENDED),
    ],
)
async def test_a_file_that_is_no_predictor_stops_the_start(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "predict.py"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        async with running(tmp_path / "state", **own(bad=f"{path}:Predictor")):
            pytest.fail("it must not start")
    assert word in caught.value.detail


def test_a_model_is_named_for_its_file_or_its_folder() -> None:
    assert default_name("/models/cat/predict.py:Predictor") == "local/cat"
    assert default_name("/models/cat/dog.py") == "local/dog"


async def test_without_cog_a_file_that_imports_it_gets_our_names(tmp_path: Path) -> None:
    """In a process that cannot see the real one, which is installed for the tests."""
    code = (
        "import sys; sys.modules['cog'] = None\n"
        "import importlib.util; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'cog' else find(name)\n"
        "import json; from mutoscope.runner.predictors.load import load_predictor, predict_function\n"
        "from mutoscope.runner.predictors.signature import schema\n"
        f"print(json.dumps(schema(predict_function(load_predictor({str(KITCHEN)!r})))))\n"
    )
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=pipe, cwd=tmp_path)
    bare = json.loads((await child.communicate())[0])
    async with running(tmp_path / "state", **own(kitchen=f"{KITCHEN}:Predictor")) as runner:
        assert bare == await schema(runner, COOK)
