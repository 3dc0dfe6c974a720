#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What the manifest says of a surface at one level of detail, and how long it took to come.</summary>
    internal sealed class SurfaceOrigin
    {
        /// <summary>Of a surface that no manifest lists: the self-test's.</summary>
        internal static readonly SurfaceOrigin None = new SurfaceOrigin(new SurfaceEntry(), new SurfaceLevel(), 0, 1, 0.0);

        internal SurfaceOrigin(SurfaceEntry entry, SurfaceLevel level, int rank, int rankCount, double seconds)
        {
            Entry = entry;
            Level = level;
            Rank = rank;
            RankCount = rankCount;
            Seconds = seconds;
        }

        internal SurfaceEntry Entry { get; }

        internal SurfaceLevel Level { get; }

        /// <summary>0 for the coarsest.</summary>
        internal int Rank { get; }

        internal int RankCount { get; }

        /// <summary>From the first request to the last byte.</summary>
        internal double Seconds { get; }

        internal long TransferBytes { get; private set; }

        internal bool IsCompressed { get; private set; }

        /// <summary>From the last byte to ready: unpacked and checked.</summary>
        internal double UnpackSeconds { get; private set; }

        /// <summary>The same, as it came.</summary>
        internal SurfaceOrigin With(double seconds, double unpackSeconds, ulong transferBytes, bool isCompressed)
        {
            return new SurfaceOrigin(Entry, Level, Rank, RankCount, seconds)
            {
                TransferBytes = (long)transferBytes,
                IsCompressed = isCompressed,
                UnpackSeconds = unpackSeconds,
            };
        }
    }
}
