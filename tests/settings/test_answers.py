"""answers.yaml: the author's answers by study and topic, or a refusal that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage_workflow import answers

from triage.errors import UserError


def test_answers_are_those_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert answers.of("own") == {}
    answers.FILE.write_text("# nothing yet\n")
    assert answers.of("own") == {}
    answers.FILE.write_text("own:\n  ethics: approved\nother:\n")
    assert answers.of("own") == {"ethics": "approved"}
    assert answers.of("other") == {}


@pytest.mark.parametrize("text", ["own: approved", "own: {a: [1]}", "- ethics", "own: {a: 1}"])
def test_what_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answers.FILE.write_text(text)
    with pytest.raises(UserError, match=r"answers\.yaml.*is not allowed"):
        answers.of("own")


def test_broken_yaml_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers.FILE.write_text("own: {")
    with pytest.raises(UserError, match=r"answers\.yaml"):
        answers.of("own")
