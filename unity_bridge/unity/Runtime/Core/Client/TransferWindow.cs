#nullable enable
using System;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// How many bytes of surfaces to have under way: enough to keep the link busy, too few for poses to queue behind
    /// them. What an answer takes longer than the fastest one is time in a queue; the window is the one that would hold
    /// that at a target (FAST TCP: Wei, Jin, Low and Hegde, IEEE/ACM TON 14(6), 2006, eq. 6). The twin of
    /// unity_bridge/client/surfaces/transfer_window.py. One for each connection.
    /// </summary>
    internal sealed class TransferWindow
    {
        /// <summary>Delay in a queue that a transfer may cause: a third of a frame at 90 Hz.</summary>
        internal const long TargetNs = 3_500_000;

        internal const int FirstBytes = 32_768;
        internal const int MinBytes = 16_384;
        internal const int MaxBytes = 2_097_152;
        internal const int MinChunkBytes = 8_192;
        internal const int MaxChunkBytes = 262_144;

        /// <summary>Few enough that asking costs nothing, enough that the link never runs dry between two.</summary>
        private const int ChunksPerWindow = 4;

        private double bytes = FirstBytes;
        private long fastestNs;

        /// <summary>How much may be under way now.</summary>
        internal int ByteCount => (int)Math.Round(bytes, MidpointRounding.ToEven);

        /// <summary>What to ask for at a time.</summary>
        internal int ChunkBytes => Math.Max(MinChunkBytes, Math.Min(MaxChunkBytes, ByteCount / ChunksPerWindow));

        /// <summary>An answer has come.</summary>
        /// <param name="roundTripNs">Since it was asked for.</param>
        /// <param name="byteCount">Of the answer.</param>
        /// <param name="underWayBytes">What was under way just after it had been asked for, itself included.</param>
        internal void Answered(long roundTripNs, int byteCount, long underWayBytes)
        {
            long fastest = Math.Min(fastestNs > 0 ? fastestNs : roundTripNs, Math.Max(1, roundTripNs));
            fastestNs = fastest;
            double wanted;
            if (roundTripNs - fastest < TargetNs / 4)
            {
                wanted = 2.0 * underWayBytes; // the link is not full: doubles per round trip
            }
            else
            {
                // Little's law: so many bytes in so much time is the link's rate, which fills it for fastest + target.
                wanted = underWayBytes * (double)(fastest + TargetNs) / roundTripNs;
            }

            // A window's worth of answers moves it all the way.
            bytes += (wanted - bytes) * Math.Min(1.0, byteCount / bytes);
            bytes = Math.Max(MinBytes, Math.Min(MaxBytes, bytes));
        }
    }
}
