"""mypy knows TensorRT's types, so that a call of what does not exist is noticed where there is no GPU to run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRONG = """import tensorrt


def wrong(context: tensorrt.IExecutionContext) -> str:
    context.set_tensor_address("image", 4096)
    context.execute_async_v2(0)
    return context.execute_async_v3("stream")
"""


def test_a_wrong_call_of_tensorrt_is_noticed(tmp_path: Path, repository: Path):
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--config-file", str(repository / "pyproject.toml"), "--cache-dir"]
    command += [str(tmp_path / "cache"), str(tmp_path / "wrong.py")]
    found = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False).stdout.splitlines()
    assert [line.partition("wrong.py:")[2].partition(":")[0] for line in found[:-1]] == ["6", "7", "7"], found
    said = "\n".join(found)
    assert '"IExecutionContext" has no attribute "execute_async_v2"' in said
    assert 'incompatible type "str"; expected "int"' in said
    assert 'got "bool", expected "str"' in said
