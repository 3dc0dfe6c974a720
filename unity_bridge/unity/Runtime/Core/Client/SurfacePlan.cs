#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>One level of one surface, in the form in which it is pulled.</summary>
    internal sealed class SurfaceItem
    {
        internal SurfaceItem(SurfaceOrigin origin, bool compressed)
        {
            Origin = origin;
            IsCompressed = compressed && origin.Level.CompressedSha256 != null && origin.Level.CompressedByteCount > 0;
        }

        internal SurfaceOrigin Origin { get; }

        internal bool IsCompressed { get; }

        internal string Name => Origin.Entry.Name;

        /// <summary>Of the bytes that travel.</summary>
        internal string Sha256 => IsCompressed ? Origin.Level.CompressedSha256! : Origin.Level.Sha256;

        /// <summary>Of the bytes that travel.</summary>
        internal ulong ByteCount => IsCompressed ? Origin.Level.CompressedByteCount : Origin.Level.ByteCount;

        /// <summary>What it takes to hold it, unpacked; as the manifest has it.</summary>
        internal double MemoryBytes => Origin.Level.ByteCount + (IsCompressed ? (double)ByteCount : 0.0);
    }

    /// <summary>What to pull, and in which order: the coarsest level of every surface, then finer ones.</summary>
    internal static class SurfacePlan
    {
        /// <summary>The levels of a surface, coarse first; of a server that knows none, the full surface alone.</summary>
        /// <exception cref="MalformedMessageException">Levels that contradict one another, or the entry.</exception>
        internal static List<SurfaceLevel> LevelsOf(SurfaceEntry entry)
        {
            var full = new SurfaceLevel
            {
                Sha256 = entry.Sha256,
                VertexCount = entry.VertexCount,
                TriangleCount = entry.TriangleCount,
                ByteCount = entry.ByteCount,
                QuantisationStepMm = entry.QuantisationStepMm,
            };
            if (entry.Levels.Count == 0)
            {
                return new List<SurfaceLevel> { full };
            }

            var levels = entry.Levels;
            var last = levels[levels.Count - 1];
            bool fits = levels.Count <= Constants.MaxLevels && last.Sha256 == full.Sha256 && last.ByteCount == full.ByteCount
                && last.VertexCount == full.VertexCount && last.TriangleCount == full.TriangleCount
                && last.QuantisationStepMm == full.QuantisationStepMm && last.DeviationMaxMm == 0.0;
            for (int index = 0; fits && index < levels.Count; index++)
            {
                var level = levels[index];
                fits = (index == 0 || level.TriangleCount > levels[index - 1].TriangleCount)
                    && level.DeviationP95Mm >= 0.0 && level.DeviationP95Mm <= level.DeviationMaxMm
                    && (level.CompressedSha256 is null) == (level.CompressedByteCount == 0)
                    && (level.GlbSha256 is null) == (level.GlbByteCount == 0);
            }

            return fits ? levels : throw new MalformedMessageException(
                $"levels of detail of '{entry.Name}' that contradict one another",
                $"1 to {Constants.MaxLevels}, coarse first, the last the full one");
        }

        /// <summary>All coarsest levels in the manifest's order, then all next ones, within the budget of triangles.</summary>
        internal static List<SurfaceItem> Order(
            List<(SurfaceEntry Entry, List<SurfaceLevel> Levels)> offer, long maxTriangles, bool compressed)
        {
            var items = new List<SurfaceItem>();
            var open = new List<(SurfaceEntry Entry, List<SurfaceLevel> Levels)>(offer);
            long left = maxTriangles;
            for (int rank = 0; open.Count > 0; rank++)
            {
                for (int index = 0; index < open.Count; index++)
                {
                    var (entry, levels) = open[index];
                    long step = rank < levels.Count
                        ? levels[rank].TriangleCount - (rank > 0 ? (long)levels[rank - 1].TriangleCount : 0) : 0;

                    // Every surface gets its coarsest level: one that is missing would look like one that is not there.
                    if (rank >= levels.Count || (rank > 0 && step > left))
                    {
                        open.RemoveAt(index--);
                        continue;
                    }

                    left -= step;
                    items.Add(new SurfaceItem(new SurfaceOrigin(entry, levels[rank], rank, levels.Count, 0.0), compressed));
                }
            }

            return items;
        }
    }
}
