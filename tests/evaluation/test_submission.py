"""The submission: always valid as written, and the errors that people make are refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import UserError
from triage.evaluation import submission
from triage.task import Task

CASES = st.text(alphabet="0123456789abcXYZ-_", min_size=1, max_size=8)
PREDICTIONS = st.dictionaries(CASES, st.floats(0, 1), min_size=1, max_size=30)


@given(PREDICTIONS, st.sampled_from([0.0, 0.3, 0.5, 0.50001]))
def test_what_is_written_is_valid(tmp_path_factory, probabilities, threshold):
    path = tmp_path_factory.mktemp("submission") / "submission.csv"
    form = submission.Form(threshold)
    rows = submission.rows_of({case: [each] for case, each in probabilities.items()}, form)
    submission.write(rows, probabilities, form, path)
    assert submission.check(path, probabilities, form) == len(probabilities)


def test_five_decimals_and_numeric_order():
    rows = submission.rows_of({"10": [0.5000049], "9": [0.500005], "1": [1.0]}, submission.Form())
    assert [tuple(row.values()) for row in rows] == [
        ("1", "1.00000", "1"),
        ("9", "0.50001", "1"),  # the class follows the printed probability
        ("10", "0.50000", "0"),
    ]


VALID = ["case,probability,class", "1,0.25000,0", "2,0.75000,1", "11,0.50000,0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.remove("2,0.75000,1"), "1 case(s) missing: 2"),
        (lambda rows: rows.append("2,0.75000,1"), "case '2' is there twice (line 3)"),
        (lambda rows: rows.append("12,0.75000,1"), "case '12' is not to be predicted"),
        (lambda rows: rows.__setitem__(1, "1,1.25000,1"), "probability '1.25000'"),
        (lambda rows: rows.__setitem__(1, "1,-0.2500,0"), "probability '-0.2500'"),
        (lambda rows: rows.__setitem__(1, "1,0.25,0"), "probability '0.25'"),
        (lambda rows: rows.__setitem__(1, "1,nan,0"), "probability 'nan'"),
        (lambda rows: rows.__setitem__(1, "1,0.25000,1"), "class '1' disagrees"),
        (lambda rows: rows.__setitem__(1, "1,0.25000,normal"), "class 'normal' disagrees"),
        (lambda rows: rows.__setitem__(1, "1,0.25000"), "not 3 cells"),
        (lambda rows: rows.__setitem__(1, "1,0.25000,0,0"), "not 3 cells"),
        (lambda rows: rows.__setitem__(0, "case;probability;class"), "the header is"),
        (lambda rows: rows.reverse() or rows.insert(0, rows.pop()), "comes after"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, change, message):
    rows = list(VALID)
    change(rows)
    path = tmp_path / "submission.csv"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(UserError, match=r"submission\.csv") as caught:
        submission.check(path, ["1", "2", "11"], submission.Form())
    assert message in str(caught.value)


def test_several_labels_have_a_column_each(tmp_path: Path):
    path, form = (
        tmp_path / "submission.csv",
        submission.Form(classes=("No Finding", "Mass"), task=Task.MULTILABEL),
    )
    rows = submission.rows_of({"b.png": [0.25, 1.0], "a.png": [0.5, 0.0]}, form)
    submission.write(rows, ["a.png", "b.png"], form, path)
    assert (
        path.read_text() == "case,No Finding,Mass\na.png,0.50000,0.00000\nb.png,0.25000,1.00000\n"
    )
    path.write_text(path.read_text().replace("1.00000", "1"))
    with pytest.raises(UserError, match="line 3: Mass '1'"):
        submission.check(path, ["a.png", "b.png"], form)
    with pytest.raises(UserError, match="must be case,Mass"):
        submission.check(path, ["a.png"], submission.Form(classes=("Mass",), task=Task.MULTILABEL))


def test_the_command_explains_without_a_traceback(tmp_path: Path):
    (tmp_path / "split.csv").write_text("case,group,label,fold,partition\n1,1,,-1,unlabelled\n")
    (tmp_path / "mine.csv").write_text("case,probability,class\n1,0.75000,0\n")
    command = [sys.executable, "scripts/check_submission.py", str(tmp_path / "mine.csv")]
    done = subprocess.run(
        [*command, "--split", str(tmp_path / "split.csv")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "line 2: class '0' disagrees with probability 0.75000" in done.stderr
    assert "Traceback" not in done.stderr


def test_exclusive_classes_are_submitted_with_the_likeliest_name(tmp_path: Path):
    form = submission.Form(classes=("none", "mild", "severe"), task=Task.MULTICLASS)
    path = tmp_path / "submission.csv"
    rows = submission.rows_of({"2": [0.2, 0.7, 0.1], "1": [0.4, 0.2, 0.4]}, form)
    assert [row["class"] for row in rows] == ["none", "mild"]
    submission.write(rows, ["1", "2"], form, path)
    assert submission.check(path, ["1", "2"], form) == 2
    path.write_text(path.read_text().replace("mild\n", "severe\n"))
    with pytest.raises(UserError, match="disagrees"):
        submission.check(path, ["1", "2"], form)
