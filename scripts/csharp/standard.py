"""Makes assemblies for .NET Standard 2.1 without its reference assembly, which PyPI and npm do not have.

The standard's types are listed in .NET's own netstandard.dll, a facade that says which assembly of .NET has each type.
An assembly that was compiled against .NET is changed to refer to netstandard, after a check that the standard has all
the types it uses; each runtime then finds them by its own facade. This runs in the compiler's process, where .NET is
loaded.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

STANDARD = "netstandard"
_NEWER_TYPES = ("NullableAttribute", "NullableContextAttribute", "DefaultInterpolatedStringHandler")
_VERSION = (2, 1, 0, 0)
_TOKEN = bytes.fromhex("cc7b13ffcd2ddd51")
_UP_TO_TOKEN = 12


def standard_types(references: Any) -> set[str]:
    """The types of .NET Standard 2.1.

    Args:
        references: .NET's class libraries, as the compiler's metadata references.
    """
    from Microsoft.CodeAnalysis import IAssemblySymbol
    from Microsoft.CodeAnalysis.CSharp import CSharpCompilation

    compilation = CSharpCompilation.Create("Standard", None, references, None)
    (facade,) = (each for each in references if each.Display.endswith(f"/{STANDARD}.dll"))
    forwarded = IAssemblySymbol(compilation.GetAssemblyOrModuleSymbol(facade)).GetForwardedTypes()
    return {f"{each.ContainingNamespace.ToDisplayString()}.{each.MetadataName}" for each in forwarded}


def hide_newer_types(compilation: Any) -> None:
    """Keeps the compiler from using types that are newer than the standard for its own purposes."""
    from System import Enum
    from System.Reflection import BindingFlags

    # As Roslyn's own tests do, since there is no public way. The package's hash pins the version of Roslyn.
    base = compilation.GetType().BaseType
    known = base.Assembly.GetType("Microsoft.CodeAnalysis.WellKnownType")
    hidden = BindingFlags.Instance | BindingFlags.NonPublic
    hide = base.GetMethod("MakeTypeMissing", hidden, None, [known], None)
    for name in _NEWER_TYPES:
        hide.Invoke(compilation, [Enum.Parse(known, f"System_Runtime_CompilerServices_{name}")])


def to_standard(target: str, references: Any) -> list[str]:
    """Changes an assembly to refer to netstandard; it must have been compiled with that as the name of its module.

    A twin for Debian's Mono is written beside it, see `_drop_modifiers`.

    Returns:
        Types in use that .NET Standard 2.1 does not have; empty if there are none.
    """
    from System.IO import MemoryStream
    from System.Reflection.Metadata import PEReaderExtensions
    from System.Reflection.PortableExecutable import PEReader

    image = bytearray(Path(target).read_bytes())
    portable = PEReader(MemoryStream(bytes(image)))
    reader = PEReaderExtensions.GetMetadataReader(portable)
    complaints = _beyond_the_standard(reader, standard_types(references))
    if not complaints:
        metadata_at = portable.PEHeaders.MetadataStartOffset
        _rename(image, metadata_at, reader)
        Path(target).write_bytes(image)
        _drop_modifiers(image, metadata_at, reader)
        twin = mono_twin(Path(target))
        twin.parent.mkdir(exist_ok=True)
        twin.write_bytes(image)
    return complaints


def mono_twin(assembly: Path) -> Path:
    """The path of the same assembly for Debian's Mono."""
    return assembly.parent / "mono" / assembly.name


def facade_source(libraries: Any, references: Any) -> str:
    """C# source of a netstandard.dll that forwards each type of .NET Standard 2.1 that `libraries` have."""
    from Microsoft.CodeAnalysis import Accessibility, IAssemblySymbol
    from Microsoft.CodeAnalysis.CSharp import CSharpCompilation

    compilation = CSharpCompilation.Create("Facade", None, libraries, None)
    assemblies = [IAssemblySymbol(compilation.GetAssemblyOrModuleSymbol(each)) for each in libraries]
    lines = ["#pragma warning disable CS0618 // that some are obsolete does not matter here"]
    lines.append(f'[assembly: System.Reflection.AssemblyVersion("{".".join(map(str, _VERSION))}")]')
    for name in sorted(standard_types(references)):
        found = [each.GetTypeByMetadataName(name) for each in assemblies]
        if any(each is not None and each.DeclaredAccessibility == Accessibility.Public for each in found):
            plain, _, arity = name.replace("System.Void", "void").partition("`")
            generic = f"<{',' * (int(arity) - 1)}>" if arity else ""
            lines.append(f"[assembly: System.Runtime.CompilerServices.TypeForwardedTo(typeof({plain}{generic}))]")
    return "\n".join(lines)


def _beyond_the_standard(reader: Any, allowed: set[str]) -> list[str]:
    from System.Reflection.Metadata import HandleKind

    complaints = []
    for handle in reader.TypeReferences:
        reference = reader.GetTypeReference(handle)
        name = f"{reader.GetString(reference.Namespace)}.{reader.GetString(reference.Name)}"
        outermost = reference.ResolutionScope.Kind == HandleKind.AssemblyReference
        if outermost and name.startswith("System.") and name not in allowed:
            complaints.append(f"error: {name} is not in .NET Standard 2.1")
    return complaints


def _rename(image: bytearray, metadata_at: int, reader: Any) -> None:
    """Patches the table of referenced assemblies (ECMA-335, II.22.5): version, flags, token, name, culture, hash."""
    from System.Reflection.Metadata.Ecma335 import HeapIndex, MetadataReaderExtensions, MetadataTokens, TableIndex

    small = 0x10000
    string_index = "<H" if MetadataReaderExtensions.GetHeapSize(reader, HeapIndex.String) < small else "<I"
    blob_index = "<H" if MetadataReaderExtensions.GetHeapSize(reader, HeapIndex.Blob) < small else "<I"
    blobs = metadata_at + MetadataReaderExtensions.GetHeapMetadataOffset(reader, HeapIndex.Blob)
    name = MetadataTokens.GetHeapOffset(reader.GetModuleDefinition().Name)
    at = metadata_at + MetadataReaderExtensions.GetTableMetadataOffset(reader, TableIndex.AssemblyRef)
    size = MetadataReaderExtensions.GetTableRowSize(reader, TableIndex.AssemblyRef)
    for row, handle in enumerate(reader.AssemblyReferences):
        reference = reader.GetAssemblyReference(handle)
        if reader.GetString(reference.Name).startswith(("System.", "Microsoft.Win32.")):
            begin = at + row * size
            struct.pack_into("<4H", image, begin, *_VERSION)
            struct.pack_into(string_index, image, begin + _UP_TO_TOKEN + struct.calcsize(blob_index), name)
            token = blobs + MetadataTokens.GetHeapOffset(reference.PublicKeyOrToken)
            if image[token] != len(_TOKEN):
                raise ValueError(f"a reference to {reader.GetString(reference.Name)} without a token of 8 bytes")
            image[token + 1 : token + 1 + len(_TOKEN)] = _TOKEN


def _drop_modifiers(image: bytearray, metadata_at: int, reader: Any) -> None:
    """Removes `modreq(InAttribute)` from the return types of ReadOnlySpan's indexer and enumerator.

    Debian compiles its class libraries with mcs, which omits this mark of a `ref readonly`; class libraries compiled
    with Roslyn have it. A signature consists of flags, number of parameters, modifier, its type, return type.
    """
    from System.Reflection.Metadata.Ecma335 import HeapIndex, MetadataReaderExtensions, MetadataTokens

    required_modifier, by_reference, type_parameter = 0x1F, 0x10, 0x13
    blobs = metadata_at + MetadataReaderExtensions.GetHeapMetadataOffset(reader, HeapIndex.Blob)
    for handle in reader.MemberReferences:
        member = reader.GetMemberReference(handle)
        if reader.GetString(member.Name) not in ("get_Item", "get_Current"):
            continue
        at = blobs + MetadataTokens.GetHeapOffset(member.Signature)
        signature = image[at + 1 : at + 1 + image[at]]
        end = signature.find(bytes([by_reference, type_parameter]))
        if signature[2] == required_modifier and end > 0:
            shorter = signature[:2] + signature[end:]
            image[at : at + 1 + len(shorter)] = bytes([len(shorter)]) + shorter
