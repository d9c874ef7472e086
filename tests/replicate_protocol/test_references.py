import pytest

from mutoscope.replicate_protocol.references import InvalidReference, ModelReference, parse_reference

SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("a/b", ModelReference("official", "a", "b")),
        (" black-forest-labs/flux-1.1_pro ", ModelReference("official", "black-forest-labs", "flux-1.1_pro")),
        (f"a/b:{SHA}", ModelReference("version", "a", "b", SHA)),
        (SHA, ModelReference("version", version=SHA)),
        ("deployments/a/b", ModelReference("deployment", "a", "b")),
    ],
)
def test_reads_and_writes_each_form(text: str, reference: ModelReference) -> None:
    assert parse_reference(text) == reference
    assert str(reference) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "a", "a/b/c", f"a/b:{SHA[1:]}", "a/b:latest", SHA.upper(), "a/../b", "a/b?x", "https://a/b"]
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(InvalidReference, match="owner/name"):
        parse_reference(text)
