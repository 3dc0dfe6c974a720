"""The front end of Roslyn: reads a request from standard input, as build.py writes it, and compiles.

A program of its own, since loading .NET into a process is for good. Errors and warnings go to standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scripts.csharp.toolchain import Toolchain

# Not what the language asks of this code: CS1591 is a public thing without a comment, CS1701 and CS1702 versions of
# .NET's own assemblies that are unified at run time.
_SILENT = ("CS1591", "CS1701", "CS1702")


def main() -> int:
    request = json.load(sys.stdin)
    tools = Toolchain(Path(request["tools"]))
    _load_roslyn(tools)
    diagnostics = _compile(request, tools)
    sys.stdout.write("".join(f"{each}\n" for each in diagnostics))
    return 1 if diagnostics else 0


def _load_roslyn(tools: Toolchain) -> None:
    sys.path.insert(0, str(tools.python_packages))
    import pythonnet  # type: ignore[import-not-found] # lies in the tools' folder, not in .venv

    pythonnet.load("coreclr", runtime_config=str(tools.runtime_config), dotnet_root=str(tools.dotnet_root))
    import clr  # type: ignore[import-not-found]

    sys.path.append(str(tools.assemblies))
    clr.AddReference("Microsoft.CodeAnalysis")
    clr.AddReference("Microsoft.CodeAnalysis.CSharp")


def _compile(request: dict[str, Any], tools: Toolchain) -> list[str]:
    """Writes the assembly, and returns what the compiler has to say."""
    from Microsoft.CodeAnalysis import CSharp, DiagnosticSeverity, OptimizationLevel, OutputKind
    from System.IO import File

    kind = OutputKind.ConsoleApplication if request["program"] else OutputKind.DynamicallyLinkedLibrary
    options = CSharp.CSharpCompilationOptions(kind).WithOptimizationLevel(OptimizationLevel.Release)
    compilation = CSharp.CSharpCompilation.Create(
        Path(request["target"]).stem, _trees(request), _references(request, tools), options
    )
    stream = File.Create(request["target"])
    try:
        result = compilation.Emit(stream)
    finally:
        stream.Dispose()
    shown = (DiagnosticSeverity.Error, DiagnosticSeverity.Warning)
    return [each.ToString() for each in result.Diagnostics if each.Severity in shown and each.Id not in _SILENT]


def _trees(request: dict[str, Any]) -> Any:
    from Microsoft.CodeAnalysis import DocumentationMode, SyntaxTree
    from Microsoft.CodeAnalysis.CSharp import CSharpParseOptions, CSharpSyntaxTree, LanguageVersion
    from System.Collections.Generic import List
    from System.IO import File
    from System.Text import Encoding

    options = CSharpParseOptions(LanguageVersion.CSharp9, DocumentationMode.Diagnose)
    options = options.WithPreprocessorSymbols(request["defines"])
    trees = List[SyntaxTree]()
    for source in request["sources"]:
        trees.Add(CSharpSyntaxTree.ParseText(File.ReadAllText(source), options, source, Encoding.UTF8))
    return trees


def _references(request: dict[str, Any], tools: Toolchain) -> Any:
    from Microsoft.CodeAnalysis import MetadataReference
    from System.Collections.Generic import List

    framework = [
        path for path in tools.framework.glob("*.dll") if path.name.startswith(("System.", "netstandard.", "mscorlib."))
    ]
    references = List[MetadataReference]()
    for path in [*framework, *request["references"]]:
        if not str(path).endswith(("System.IO.Compression.Native.dll",)):
            references.Add(MetadataReference.CreateFromFile(str(path)))
    return references


if __name__ == "__main__":
    sys.exit(main())
