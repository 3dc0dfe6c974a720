#nullable enable
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("SurgNav.Core.Tests")]
