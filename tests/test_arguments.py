"""The command line that a function's signature makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from triage.arguments import Arguments, Paths, Repeated, call, parser
from triage.errors import UserError


@dataclass(frozen=True)
class Settings:
    """What is handed over as JSON."""

    k: int


@dataclass(frozen=True, kw_only=True)
class Shared(Arguments):
    """What several scripts take."""

    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 7


@dataclass(frozen=True, kw_only=True)
class More(Shared):
    """What fewer of them take."""

    time_limit: Annotated[float | None, "in minutes"] = None


def script(
    files: Annotated[Paths, "new ones"],
    /,
    shared: More,
    settings: Settings,
    fold: int,
    parts: Paths,
    parent: Path | None = None,
    more: Paths = (),
    remove: bool = False,
    single: Annotated[Paths, Repeated("once each")] = (),
) -> dict[str, Any]:
    return locals()


NEEDED = ["a", "b", "--settings", '{"k": 5}', "--fold", "2", "--parts", "c"]


def called(*words: str) -> Any:
    return call(script, vars(parser(script).parse_args(words)))


def test_what_is_needed_is_enough() -> None:
    given = called(*NEEDED)
    assert given["files"] == (Path("a"), Path("b"))
    assert given["parts"] == (Path("c"),)
    assert (given["settings"], given["fold"]) == (Settings(5), 2)
    assert given["shared"] == More(device="cpu", threads=7, time_limit=None)
    assert (given["parent"], given["more"], given["remove"]) == (None, (), False)


def test_what_may_be_given_is_taken() -> None:
    more = ["--parent", "p", "--more", "d", "e", "--remove", "--time-limit", "1.5"]
    given = called(*NEEDED, *more, "--device", "cuda", "--threads", "2")
    assert given["shared"] == More(device="cuda", threads=2, time_limit=1.5)
    assert (given["parent"], given["remove"]) == (Path("p"), True)
    assert given["more"] == (Path("d"), Path("e"))


def test_options_may_stand_between_arguments_without_a_name() -> None:
    words = ["--single", "x", "a", *NEEDED[2:], "--single", "y", "b"]
    given = call(script, vars(parser(script).parse_intermixed_args(words)))
    assert given["files"] == (Path("a"), Path("b"))
    assert given["single"] == (Path("x"), Path("y"))


@pytest.mark.parametrize("left_out", ["--settings", "--fold", "--parts"])
def test_what_has_no_default_is_asked_for(left_out: str, capsys: Any) -> None:
    at = NEEDED.index(left_out)
    with pytest.raises(SystemExit):
        called(*NEEDED[:at], *NEEDED[at + 2 :])
    assert left_out in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--device", "tpu"], ["--fold", "two"], ["--unknown", "1"]])
def test_what_is_wrong_is_named(wrong: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit):
        called(*NEEDED, *wrong)
    assert wrong[0] in capsys.readouterr().err


def test_settings_are_checked() -> None:
    with pytest.raises(UserError, match="k"):
        called(*NEEDED[:3], '{"k": "many"}', *NEEDED[4:])


def test_help_says_what_an_argument_is() -> None:
    said = parser(script).format_help()
    assert "The command line that a function's signature makes." in said
    assert "in minutes" in said
    assert "new ones" in said
