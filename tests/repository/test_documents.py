"""The code in the documents runs, and the commands in them exist, with their options and files."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
import zmq

from navigation.cli import app
from tests.conftest import REPOSITORY
from tests.repository.given import GIVEN
from tests.repository.markdown import SHELL, blocks, blocks_of, pages
from unity_bridge import ControlServer, PosePublisher, SurfaceServer

PYTHON = {
    page: [block for block in blocks() if block.page == page and block.language == "python"]
    for page in sorted({block.page for block in blocks() if block.language == "python"})
}
COMMANDS = typer.main.get_command(app)
PROGRAMS = re.compile(r"(surgnav|python|make|bash) |(scripts|benchmarks)/\w")


# -------------------------------------------------------------------------------------------------------------- Python
def subject_of(page: str) -> str:
    """``network`` for docs/reconstruction/network.md, ``calibration`` for docs/calibration/README.md."""
    path = Path(page)
    return path.parent.name if path.name == "README.md" and path.parent.name else path.stem


@pytest.mark.parametrize("page", PYTHON)
def test_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """All blocks of a page one after the other, as a reader types them, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page, **GIVEN.get(subject_of(page), dict)()}
    try:
        for block in PYTHON[page]:
            if block.fragment is None:
                code = ast.increment_lineno(ast.parse(block.text), block.line - 1)
                exec(compile(code, f"<{page}>", "exec"), names)
    finally:
        close(names)


def close(names: dict[str, object]) -> None:
    """Ends what a page's code left open, so that a context of ZeroMQ does not wait for its sockets."""
    for value in names.values():
        if isinstance(value, PosePublisher | SurfaceServer | ControlServer):
            value.close()
    for value in names.values():
        if isinstance(value, zmq.Context):
            value.destroy(linger=0)


def test_what_is_given_is_for_pages_that_have_python():
    assert set(GIVEN) <= {subject_of(page) for page in PYTHON}


def test_a_block_that_fails_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (broken,) = blocks_of("page.md", "Text.\n\n```python\nimport geometry\ngeometry.no_such_name\n```\n")
    monkeypatch.setitem(PYTHON, "page.md", [broken])
    with pytest.raises(AttributeError, match="no_such_name"):
        test_python_runs("page.md", tmp_path, monkeypatch)


# ------------------------------------------------------------------------------------------------------------ commands
def lines_of(text: str) -> Iterator[str]:
    """Commands, without prompts, comments and line breaks."""
    for line in text.replace("\\\n", " ").splitlines():
        bare = re.sub(r"\s#.*$", "", line.strip().removeprefix("$ ")).strip()
        bare = re.sub(r"^(sudo |\.venv/bin/)+", "", bare)
        if PROGRAMS.match(bare):
            yield bare


def shown_commands() -> list[tuple[str, str]]:
    """Where and what: commands in blocks of a shell or of no language, indented blocks, and code within a line."""
    shown = []
    for block in blocks():
        if (block.language in SHELL or not block.language) and block.fragment is None:
            shown += [(str(block), line) for line in lines_of(block.text)]
    for page, text in pages().items():
        fenced = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.M | re.S)
        inline = [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", fenced)]
        indented = [line for line in fenced.splitlines() if line.startswith("    ")]
        shown += [(page, line) for code in (*inline, *indented) for line in lines_of(code)]
    return shown


def words(line: str) -> list[str]:
    return shlex.split(line.replace("...", "").replace("[", "").replace("]", ""))


def problem_of_surgnav(given: list[str]) -> str | None:
    """Walks the tree of commands, then holds every option against those of the command."""
    command, rest = COMMANDS, given
    while isinstance(command, click.Group | typer.core.TyperGroup) and rest and not rest[0].startswith("-"):
        names = [name.rstrip(",") for name in rest[:1]]
        if names[0] not in command.commands:
            return f"no command {names[0]!r}"
        command, rest = command.commands[names[0]], rest[1:]
        if given[0].endswith(","):
            break
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if re.fullmatch(r"--[a-z][\w-]*", word.partition("=")[0])]
    unknown = [word for word in unknown if word.partition("=")[0] not in options | {"--help"}]
    return f"no option {unknown[0]} of {command.name}" if unknown else None


def problem_of_python(given: list[str]) -> str | None:
    """A file of the repository, or a module; options by the text of the program."""
    if not given or (given[0].startswith("-") and given[0] != "-m"):
        return None
    if given[0] == "-m":
        name, rest = given[1], given[2:]
        base = REPOSITORY.joinpath(*name.split("."))
        if not (REPOSITORY / name.partition(".")[0]).is_dir():
            return None  # pip and other programs that are not ours
        file = next((path for path in (base.with_suffix(".py"), base / "__main__.py") if path.is_file()), None)
    else:
        name, rest, file = given[0], given[1:], REPOSITORY / given[0]
    if file is None or not file.is_file():
        return f"no program {name}"
    program = file.read_text("utf-8")
    unknown = [word for word in rest if re.match(r"--[a-z]", word) and f'"{word.partition("=")[0]}"' not in program]
    return f"no option {unknown[0]} in {name}" if unknown else None


def problem_of_make(given: list[str]) -> str | None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M)
    for target in given:
        if "=" not in target and target not in targets:
            return f"no target {target}"
    arguments = [word for assignment in given if assignment.startswith("ARGS=") for word in shlex.split(assignment[5:])]
    files = [word.partition("::")[0] for word in arguments if word.startswith("tests/")]
    return next((f"no file {name}" for name in files if not (REPOSITORY / name).exists()), None)


def problem_of(line: str) -> str | None:
    """Why this command cannot be typed as it stands; None if it can."""
    program, *given = words(line)
    if program == "surgnav":
        return problem_of_surgnav(given)
    if program == "python":
        return problem_of_python(given)
    if program == "make":
        return problem_of_make(given)
    script = given[0] if program == "bash" and given else program
    return None if (program == "bash" and not given) or (REPOSITORY / script).exists() else f"no script {script}"


def test_every_command_can_be_typed():
    shown = shown_commands()
    assert len(shown) > 100, "they are found at all"
    assert not [f"{where}: {line}: {problem}" for where, line in shown if (problem := problem_of(line))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("surgnav frobnicate CASE", "no command 'frobnicate'"),
        ("surgnav keys forge NAME", "no command 'forge'"),
        ("surgnav serve CASE --port 5", "no option --port of serve"),
        ("surgnav keys enroll NAME --hots ADDRESS", "no option --hots of enroll"),
        ("python benchmarks/bench_nothing.py", "no program benchmarks/bench_nothing.py"),
        (
            "python benchmarks/unity_bridge/bench_pose_latency.py --second 5",
            "no option --second in benchmarks/unity_bridge/bench_pose_latency.py",
        ),
        ("python -m unity_bridge.klient", "no program unity_bridge.klient"),
        ("make coffee", "no target coffee"),
        ("make test ARGS='tests/absent/test_it.py -k x'", "no file tests/absent/test_it.py"),
        ("scripts/unlock", "no script scripts/unlock"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str, problem: str):
    assert problem_of(line) == problem


def test_a_fragment_says_why_it_is_not_run():
    run = "```python\npass\n```\n"
    reasons = [
        block.fragment for text in ("", "<!-- fragment: needs a camera -->\n") for block in blocks_of("p", text + run)
    ]
    assert reasons == [None, "needs a camera"]
    assert [block.text for block in blocks_of("p", "a\n" + run + run)] == ["pass\n", "pass\n"]
