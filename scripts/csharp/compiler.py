"""The front end of Roslyn: reads a request of build.py from standard input, and compiles.

It is a program of its own, since .NET cannot be unloaded from a process. Errors and warnings go to standard output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from scripts.csharp.standard import STANDARD, facade_source, hide_newer_types, to_standard
from scripts.csharp.toolchain import Toolchain

# Warnings that do not apply: CS1591 is a public member without a comment, CS1701 and CS1702 are versions of .NET's own
# assemblies that are unified at run time.
_SILENT = ("CS1591", "CS1701", "CS1702")
_CLASS_LIBRARIES = ("System.", "Microsoft.Win32.", "netstandard.", "mscorlib.")


def main() -> int:
    request = json.load(sys.stdin)
    tools = Toolchain(Path(request["tools"]))
    _load_roslyn(tools)
    if "facade" in request:
        source = facade_source(_references(request, tools), _references({}, tools))
        request |= {"target": request["facade"], "sources": [], "texts": [source], "defines": [], "program": False}
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
    """Writes the assembly, and returns the compiler's errors and warnings."""
    from Microsoft.CodeAnalysis import CSharp, DiagnosticSeverity, OptimizationLevel, OutputKind
    from System.IO import File

    kind = OutputKind.ConsoleApplication if request["program"] else OutputKind.DynamicallyLinkedLibrary
    options = CSharp.CSharpCompilationOptions(kind).WithOptimizationLevel(OptimizationLevel.Release)
    if request.get("standard"):
        options = options.WithModuleName(STANDARD)
    compilation = CSharp.CSharpCompilation.Create(
        Path(request["target"]).stem, _trees(request), _references(request, tools), options
    )
    if request.get("standard"):
        hide_newer_types(compilation)
    stream = File.Create(request["target"])
    try:
        result = compilation.Emit(stream)
    finally:
        stream.Dispose()
    shown = (DiagnosticSeverity.Error, DiagnosticSeverity.Warning)
    complaints = [each.ToString() for each in result.Diagnostics if each.Severity in shown and each.Id not in _SILENT]
    if not complaints and request.get("standard"):
        return to_standard(request["target"], _references({}, tools))
    return complaints


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
    for text in request.get("texts", ()):
        trees.Add(CSharpSyntaxTree.ParseText(text, options, "", Encoding.UTF8))
    return trees


def _references(request: dict[str, Any], tools: Toolchain) -> Any:
    from Microsoft.CodeAnalysis import MetadataReference
    from System.Collections.Generic import List

    references = List[MetadataReference]()
    for path in [*_class_libraries(request, tools), *request.get("references", ())]:
        references.Add(MetadataReference.CreateFromFile(str(path)))
    return references


def _class_libraries(request: dict[str, Any], tools: Toolchain) -> list[Path]:
    if "mono" in request:
        return sorted(Path(request["mono"]).glob("*.dll"))
    return [path for path in tools.framework.glob("*.dll") if path.name.startswith(_CLASS_LIBRARIES)]


if __name__ == "__main__":
    sys.exit(main())
