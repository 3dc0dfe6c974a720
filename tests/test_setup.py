"""The set-up script, run for real, on machines made of stand-ins for Python, pip, apt-get, sudo and nvidia-smi."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.csharp.mono import PACKAGES
from scripts.strangers.openigtlink import PACKAGES as LINK_PACKAGES

TOOLS = "sh dirname cat sha256sum cut grep find sed tail rm mkdir cp chmod id uname flock env touch".split()

# Answers as the set-up asks, and writes down every call of pip. FAKE_* variables decide what it meets.
PYTHON = r"""#!/bin/sh
case "$1" in
-c) echo "${FAKE_SERIES:-3.11}" ;;
-VV) echo "Python ${FAKE_SERIES:-3.11}.9" ;;
-) cat >/dev/null
    echo "$3" >>"$FAKE_STATE/purpose"
    if [ -e "$FAKE_STATE/apt" ]; then echo; else echo "${FAKE_MISSING:-}"; fi ;;
-m) case "$2" in
    venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "#!$3/bin/python" >"$3/bin/pip" ;;
    pip) echo "$*" >>"$FAKE_STATE/pip"
        if [ -n "${FAKE_PIP_FAILS:-}" ] && echo "$*" | grep -qE -- "$FAKE_PIP_FAILS"; then
            echo "ERROR: No matching distribution"; exit 1
        fi ;;
    esac ;;
esac
"""
APT = '#!/bin/sh\necho "$*" >>"$FAKE_STATE/apt"\n'


@dataclass(frozen=True)
class Machine:
    """A checkout and a PATH, both in a temporary folder."""

    root: Path
    programs: Path

    def add(self, name: str, script: str) -> None:
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def setup(self, *arguments: str, **fakes: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.programs), "FAKE_STATE": str(self.root), **fakes}
        command = [str(self.root / "scripts" / "setup"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def calls(self, program: str) -> str:
        record = self.root / program
        return record.read_text() if record.exists() else ""

    @property
    def is_set_up(self) -> bool:
        return (self.root / ".venv").exists()


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    """A machine with Python 3.11, every library, no GPU, and nothing installed."""
    root = tmp_path / "my checkout"  # a space, as some home folders have
    programs = tmp_path / "bin"
    (root / "scripts").mkdir(parents=True)
    programs.mkdir()
    for name in ("scripts/setup", "requirements.lock", "pyproject.toml"):
        shutil.copy(repository / name, root / name)
    for tool in TOOLS:
        where = shutil.which(tool)
        assert where is not None, tool
        (programs / tool).symlink_to(where)
    made = Machine(root, programs)
    made.add("python3.11", PYTHON)
    return made


def test_installs_the_lock_without_dependencies_and_then_never_again(machine: Machine):
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    calls = machine.calls("pip").splitlines()
    assert [("--no-deps" in call or call.endswith("check")) for call in calls] == [True] * len(calls)
    assert calls[-1].endswith("check")
    assert any("torch==2.13.0+cpu" in call for call in calls)
    assert any("/.venv/stubs tensorrt-stubs==" in call for call in calls), "apart from what can be imported"
    second = machine.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert machine.calls("pip").splitlines() == calls


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml", "scripts/setup"])
def test_installs_again_when_what_it_depends_on_changed(machine: Machine, changed: str):
    machine.setup()
    before = len(machine.calls("pip"))
    with (machine.root / changed).open("a") as file:
        file.write("\n# changed\n")
    assert machine.setup().returncode == 0
    assert len(machine.calls("pip")) == 2 * before


def test_a_checkout_that_moved_gets_a_new_environment(machine: Machine, tmp_path: Path):
    machine.setup()
    moved = Machine(tmp_path / "elsewhere", machine.programs)
    machine.root.rename(moved.root)
    result = moved.setup()
    assert "making .venv" in result.stdout
    assert str(moved.root) in (moved.root / ".venv/bin/pip").read_text()


def test_another_python_is_named_with_the_one_that_is_needed(machine: Machine):
    (machine.programs / "python3.11").rename(machine.programs / "python3")
    result = machine.setup(FAKE_SERIES="3.10")
    assert result.returncode == 1
    assert "needs Python 3.11" in result.stderr
    assert "python3 is 3.10" in result.stderr
    assert not machine.is_set_up


def test_no_python_at_all(machine: Machine):
    (machine.programs / "python3.11").unlink()
    result = machine.setup()
    assert result.returncode == 1
    assert "found: none" in result.stderr


def test_an_interpreter_that_was_asked_for_is_not_silently_replaced(machine: Machine):
    machine.add("python-mine", PYTHON.replace("${FAKE_SERIES:-3.11}", "3.13"))
    result = machine.setup(SURGNAV_PYTHON=str(machine.programs / "python-mine"))
    assert result.returncode == 1
    assert "is 3.13" in result.stderr


def test_missing_libraries_come_by_apt_as_root(machine: Machine):
    machine.add("apt-get", APT)
    (machine.programs / "id").unlink()
    machine.add("id", "#!/bin/sh\necho 0\n")
    result = machine.setup(FAKE_MISSING="libusb-1.0-0 libegl1")
    assert result.returncode == 0, result.stderr
    update, install = machine.calls("apt").splitlines()
    assert update.startswith("update")
    assert install.startswith("install")
    assert install.endswith("libusb-1.0-0 libegl1")


@pytest.mark.parametrize("sudo", [None, "#!/bin/sh\nexit 1\n"])
def test_without_root_or_sudo_the_one_command_is_printed(machine: Machine, sudo: str | None):
    machine.add("apt-get", APT)
    (machine.programs / "id").unlink()
    machine.add("id", "#!/bin/sh\necho 1000\n")
    if sudo:
        machine.add("sudo", sudo)
    result = machine.setup(FAKE_MISSING="libusb-1.0-0")
    assert result.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends libusb-1.0-0" in result.stderr
    assert not machine.is_set_up
    assert machine.calls("apt") == ""


def test_a_failed_installation_leaves_nothing_half_made(machine: Machine):
    result = machine.setup(FAKE_PIP_FAILS="locked.txt")
    assert result.returncode == 1
    assert "the lock file failed" in result.stderr
    assert "No matching distribution" in result.stderr
    assert not machine.is_set_up
    assert machine.setup().returncode == 0


def test_a_failed_renewal_keeps_the_environment_but_not_the_stamp(machine: Machine):
    machine.setup()
    with (machine.root / "pyproject.toml").open("a") as file:
        file.write("# another\n")
    assert machine.setup(FAKE_PIP_FAILS=" check$").returncode == 1
    assert machine.is_set_up
    assert machine.setup().stdout.rstrip().endswith("done: .venv/bin/surgnav")


def test_the_cpu_build_of_torch_is_sought_at_pytorch_when_the_sources_lack_it(machine: Machine):
    result = machine.setup(FAKE_PIP_FAILS=r"--no-deps torch==.*\+cpu")
    assert result.returncode == 0, result.stderr
    assert "https://download.pytorch.org/whl/cpu torch==2.13.0+cpu" in machine.calls("pip")


def test_without_a_cpu_build_no_cuda_build_is_taken(machine: Machine):
    result = machine.setup(FAKE_PIP_FAILS=r"\+cpu")
    assert result.returncode == 1
    assert "SURGNAV_TORCH=cuda make setup" in result.stderr
    assert not machine.is_set_up
    assert not [call for call in machine.calls("pip").splitlines() if "torch==" in call and "+cpu" not in call]


def test_a_gpu_brings_the_cuda_build_and_tensorrt_which_may_fail(machine: Machine):
    machine.add("nvidia-smi", "#!/bin/sh\necho 'GPU 0: NVIDIA X'\n")
    result = machine.setup(FAKE_PIP_FAILS=r"\[tensorrt\]")
    assert result.returncode == 0, result.stderr
    assert "TensorRT could not be installed" in result.stdout
    assert "torch==2.13.0,!=2.13.0+cpu" in machine.calls("pip")
    assert machine.setup(SURGNAV_TORCH="cpu").returncode == 0  # by choice, another build: installed anew
    assert "--no-deps torch==2.13.0+cpu" in machine.calls("pip")


def test_an_unknown_choice_of_torch_is_refused(machine: Machine):
    result = machine.setup(SURGNAV_TORCH="rocm")
    assert result.returncode == 1
    assert "allowed: cpu, cuda" in result.stderr


def test_what_only_tests_need_is_asked_for_by_them(machine: Machine):
    """The list itself is asked of Python, which is a stand-in here: what it is told is the purpose."""
    assert machine.setup().returncode == machine.setup("tests").returncode == 0
    assert set(machine.calls("purpose").split()) == {"use", "tests"}
    assert sum(call.endswith(" check") for call in machine.calls("pip").splitlines()) == 1, "nothing is installed anew"
    result = machine.setup("demo")
    assert result.returncode == 1
    assert "allowed: tests" in result.stderr


def test_the_tests_get_strangers_apart_once_and_may_go_without(machine: Machine):
    failed = machine.setup("tests", FAKE_PIP_FAILS="nnunetv2")
    assert failed.returncode == 0
    assert "its comparisons are skipped" in failed.stdout
    assert "nnU-Net" in machine.setup("tests").stdout
    assert machine.setup("tests").stdout == machine.setup().stdout == ""
    for folder, package, times in (("nnunet", "nnunetv2", 2), ("slicer", "slicer-core", 1)):
        wanted = [call for call in machine.calls("pip").splitlines() if f"{package}==" in call]
        assert len(wanted) == times
        assert all("--no-deps" in call and f"/.venv/{folder} {package}==" in call for call in wanted)


@pytest.mark.parametrize(
    ("purpose", "npm", "missing"), [("tests", False, True), ("tests", True, False), ("use", False, False)]
)
def test_the_tests_get_npm_where_there_is_none(
    repository: Path, tmp_path: Path, purpose: str, npm: bool, missing: bool
):
    """The real list, asked by a real Python: npm brings the C# compiler, which the system's packages do not have."""
    script = (repository / "scripts" / "setup").read_text("utf-8")
    program = script.split("<<'PYTHON_END'\n")[1].split("\nPYTHON_END\n")[0]
    if npm:
        (tmp_path / "npm").write_text("#!/bin/sh\n")
        (tmp_path / "npm").chmod(0o755)
    result = subprocess.run(
        [sys.executable, "-", "3.11", purpose],
        input=program,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ("npm" in result.stdout.split()) is missing


def test_the_tests_packages_are_the_ones_that_the_tests_name(repository: Path):
    script = (repository / "scripts" / "setup").read_text("utf-8")
    assert [package for package in (PACKAGES + " " + LINK_PACKAGES).split() if f'"{package}")' not in script] == []
