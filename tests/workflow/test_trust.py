"""Nothing that comes from data runs, and no name of a patient goes where it should not."""

from __future__ import annotations

import ast
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import results_studies
import results_tree
from triage import pseudonyms
from triage.errors import UserError
from triage.figures import data
from triage.figures.settings import ExploreSettings
from triage.files import read_rows
from triage.report.data import read_data
from workflow_copy import Workflow, only

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("scripts", "workflow", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    ";touch pwned;",
    "-rf",
    "--output=pwned",
    'O\'Brien "Bob"',
    "a, b",
    "<img src=x onerror=alert(1)>",
    "{wildcards.study}",
    "%s %n",
    "pwned..",
    "müller",
)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a source, by the dotted name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> object:
    """The constant that a call gives for a keyword; None where it gives none."""
    found = {each.arg: each.value for each in call.keywords}
    return found[name].value if isinstance(found.get(name), ast.Constant) else None


def unsafe(source: str) -> list[str]:
    """The calls of a source that may run what is in a file, or hand text to a shell."""
    tree, found = ast.parse(source), []
    for name, call in calls(tree):
        last = name.rpartition(".")[2]
        if (
            last == "load"
            and name.startswith("torch")
            and keyword(call, "weights_only") is not True
        ):
            found.append(name)
        if name in ("np.load", "numpy.load") and keyword(call, "allow_pickle") is not False:
            found.append(name)
        if last in ("read_pickle", "to_pickle", "read_hdf", "hub", "load_state_dict_from_url"):
            found.append(name)
        if re.match(
            r"(pickle|marshal|shelve|joblib|dill|cloudpickle)\.(load|open|Unpickler)", name
        ):
            found.append(name)
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            loader = ast.unparse(call.args[1]) if len(call.args) > 1 else ""
            found += [name] * ("SafeLoader" not in loader)
        if name in ("eval", "exec", "os.system", "os.popen", "shutil.unpack_archive"):
            found.append(name)
        if last in ("extractall", "extract") or keyword(call, "shell") is True:
            found.append(name)
    return found


# What the server that forks jobs is handed comes through a socket that only its owner can open.
OURS = {
    "workflow/triage_workflow/forkserver/server.py": {"marshal.load", "exec"},
    "scripts/triage/yaml_text.py": {"yaml.load"},  # by SafeLoaders that refuse more
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_unpickles_unpacks_or_calls_a_shell(path):
    found = set(unsafe(path.read_text(encoding="utf-8")))
    assert found <= OURS.get(path.relative_to(ROOT).as_posix(), set())


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "pickle.load(stream)",
        "yaml.load(text, yaml.Loader)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "archive.extractall()",
    ],
)
def test_such_a_call_would_be_seen(source):
    assert unsafe(source)


def test_every_pinned_package_has_the_hashes_of_its_files():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line
    )
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    blocks = re.findall(r"^([A-Za-z0-9_.-]+)==([^ \n]+) \\\n((?:    --hash.*\n)+)", lock, re.M)
    assert len(blocks) == len(re.findall(r"^[A-Za-z]", lock, re.M))

    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    locked = {plain(name): version for name, version, _ in blocks}
    assert locked == {plain(name): version for name, version in pins.items()}
    for _, _, hashes in blocks:
        assert all(re.search(r"sha256:[0-9a-f]{64}\b", line) for line in hashes.splitlines())


def test_what_a_build_of_torch_for_gpus_needs_has_hashes_too():
    lock = (ROOT / "requirements-gpu.lock").read_text()
    assert "://" not in lock
    blocks = re.findall(r"^([a-z0-9-]+)==[^\n]+ \\\n((?:    --hash.*\n)+)", lock, re.M)
    assert {"triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= {name for name, _ in blocks}
    assert len(blocks) == len(re.findall(r"^[a-z]", lock, re.M))
    others = (ROOT / "requirements.lock").read_text()
    assert not [name for name, _ in blocks if f"\n{name}==" in others]


def test_nothing_is_installed_without_a_hash():
    rules = (ROOT / "Makefile").read_text()
    assert rules.count("pip install") == 2  # one of them in an environment of its own, for audits
    assert re.search(r"^INSTALL := .* pip install .*--no-deps", rules, re.M)
    uses = re.findall(r"\$\(INSTALL\) (.*)", rules)
    assert len(uses) == 4
    assert [use for use in uses if "--require-hashes" not in use] == [
        "--no-build-isolation --editable ."
    ]


def test_a_pseudonym_is_stable_keyed_and_tells_nothing(tmp_path):
    one, other = tmp_path / "one.key", tmp_path / "other.key"
    names = [f"P{i:03}" for i in range(500)]
    found = [pseudonyms.shown(name, True, one) for name in names]
    assert found == [pseudonyms.shown(name, True, one) for name in names]
    assert len(set(found)) == len(names)
    assert not set(found) & {pseudonyms.shown(name, True, other) for name in names}
    assert all(re.fullmatch(r"case-[a-z2-7]{10}", name) for name in found)
    assert pseudonyms.shown("P001", False) == "P001"
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one.key", "other.key"]
    (tmp_path / "short.key").write_text("secret")
    with pytest.raises(UserError, match="too short"):
        pseudonyms.shown("P001", True, tmp_path / "short.key")


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("pseudonymous", [True, False])
@pytest.mark.parametrize(
    "study", [results_studies.BRAIN, results_studies.LESIONS], ids=lambda s: s.name
)
def test_pictures_name_no_case(study, pseudonymous, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree = results_tree.Tree(tmp_path, study)
    results_tree.write_data(tree)
    settings = ExploreSettings(tuple(study.classes), 3, 1, pseudonymous)
    read = data.Study.read(
        tree.data / "manifest.csv",
        tree.split,
        groups=tree.data / "groups.csv",
        **tree.images(),
        settings=settings,
    )
    targets = [Path(f"{name}.png") for name in data.FIGURES]
    shown = "\n".join(texts(figure) for _, figure in data.draw(read, targets))
    assert bool(re.search(r"\bP\d{3}\b", shown)) != pseudonymous
    assert ("case-" in shown) == pseudonymous


def test_the_lists_of_the_report_name_no_case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tree = results_tree.Tree(tmp_path, results_studies.BRAIN)
    results_tree.write_data(tree)
    (tree.data / "withdrawn.csv").write_text("case,date,reason\nP001,2026-01-31,P001 asked\n")
    (tree.data / "quarantine.csv").write_text("file,case,reason\nP002/T1.mha,P002,P002 is empty\n")
    (tree.data / "consent.csv").write_text(
        "case,partition,checkpoint,md5,commit\nP001,train,x,y,\n"
    )
    names = ("manifest", "groups", "quarantine", "counts", "withdrawn", "consent")
    manifest, groups, *others = (tree.data / f"{name}.csv" for name in names)
    for hidden in (True, False):
        found = read_data(manifest, groups, tree.split, *others, ["normal"], pseudonyms=hidden)
        said = str((found.quarantine, found.seen, found.withdrawal, found.consent))
        assert bool(re.search(r"P00\d", said)) != hidden
        assert (f"{pseudonyms.shown('P001', True)}" in said) == hidden


def hostile(workflow: Workflow) -> None:
    """Name patients so that a shell, a page or a path would stumble, in real raw data."""
    raw = workflow.folder / "raw"
    workflow.snakemake("data/braintriage/phantom.csv")
    (workflow.folder / "data/braintriage/phantom").rename(raw)
    names = iter(HOSTILE)
    for patient in sorted((raw / "train/full").glob("*/*")):
        if name := next(names, ""):
            patient.rename(patient.parent / name)

    def change(content):
        content["studies"]["braintriage"]["raw"] = "raw"
        content["phantoms"] = {}
        content["pseudonyms"] = True

    workflow.change(change)


@pytest.mark.slow
def test_names_from_data_reach_no_shell_no_page_and_no_other_folder(tmp_path):
    workflow = Workflow(tmp_path / "inner" / "project", only("braintriage"))
    hostile(workflow)
    workflow.snakemake("all", "data/braintriage/slices/labels_slices.csv", "braintriage_export")
    assert not list(tmp_path.rglob("*pwned*.*")) or all(
        path.parent.name == "slices" for path in tmp_path.rglob("*pwned*.pt")
    )
    assert not list(tmp_path.rglob("pwned"))
    cases = {row["case"] for row in read_rows(workflow.folder / "data/braintriage/manifest.csv")}
    assert set(HOSTILE) <= cases
    slices = {path.name for path in (workflow.folder / "data/braintriage/slices").glob("*.pt")}
    slices |= {path.name for path in (workflow.folder / "data/braintriage/slices").glob(".*.pt")}
    assert slices == {f"{case}_{i}.pt" for case in cases for i in range(6)}
    results = workflow.folder / "results"
    key = (workflow.folder / "pseudonyms.key").read_text().strip()
    leaves = [results / "report.html", *results.glob("braintriage/card.*")]
    leaves += [*results.glob("braintriage/checklist.md"), *results.glob("braintriage/model.*")]
    leaves += [path for path in results.rglob("*") if path.suffix in (".svg", ".png")]
    assert len(leaves) > 10
    for path in leaves:
        content = path.read_bytes()
        for name in HOSTILE:
            spellings = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
            if len(name) > 5:  # shorter ones are found by chance
                assert not any(each.encode() in content for each in spellings), (path, name)
    for path in results.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()
    assert "pseudonyms.key" not in workflow.run("git", "status", "--short", "--untracked-files=all")
    assert workflow.planned() == set()
