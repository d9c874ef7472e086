"""The OpenAPI document is true: schemathesis asks everything that it allows, and much that it does not."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.api.service import Service

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "allow_header_conformance", "ignored_auth",
    "negative_data_rejection",
)  # fmt: skip
EXAMPLES = 12
DEADLINE_S = 240


@pytest.mark.slow
async def test_no_request_breaks_the_service_or_its_document(here: Service, tmp_path: Path) -> None:
    async with here.person("ann", credits=30):
        key = here.operator.headers["authorization"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run", f"{here.url}/openapi.json",
            "--header", f"Authorization: {key}", "--header", "Mutoscope-Account: ann",
            "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES),
            "--seed", "1", "--continue-on-failure", "--request-timeout", "30", "--suppress-health-check", "all",
            "--warnings", "off", "--generation-database", "none", "--no-color",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(DEADLINE_S):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, said.decode()[-12_000:]
        assert b"25 selected / 25 total" in said
    assert (await here.operator.get("/readyz")).json()["status"] == "ok"
