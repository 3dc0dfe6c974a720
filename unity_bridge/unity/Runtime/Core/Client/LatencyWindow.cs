#nullable enable
using System;

namespace SurgNav.Core.Client
{
    /// <summary>Of the last few thousand batches: sensor stamp to decoded, each on its own clock as it came.</summary>
    internal sealed class LatencyWindow
    {
        internal const int Window = 4096;
        private readonly object gate = new object();
        private readonly long[] differencesNs = new long[Window];
        private readonly long[] sorted = new long[Window];
        private readonly long[] arrivalsNs = new long[Window];
        private long taken;

        /// <summary>Takes in one batch: decoded on the client's clock, seen on the server's.</summary>
        internal void Add(long decodedNs, long captureNs)
        {
            lock (gate)
            {
                differencesNs[taken % Window] = decodedNs - captureNs;
                arrivalsNs[taken % Window] = decodedNs;
                taken++;
            }
        }

        /// <summary>Another server: what was measured of the last one's clock means nothing now.</summary>
        internal void Clear()
        {
            lock (gate)
            {
                taken = 0;
            }
        }

        /// <summary>Three percentiles in ms; NaN without a batch.</summary>
        internal void Percentiles(long offsetNs, out double p50Ms, out double p99Ms, out double p999Ms)
        {
            lock (sorted)
            {
                int count;
                lock (gate)
                {
                    count = (int)Math.Min(taken, Window);
                    Array.Copy(differencesNs, sorted, count);
                }

                Array.Sort(sorted, 0, count); // not under the pose thread's lock
                p50Ms = Percentile(count, 0.5, offsetNs);
                p99Ms = Percentile(count, 0.99, offsetNs);
                p999Ms = Percentile(count, 0.999, offsetNs);
            }
        }

        /// <summary>Batches a second over the last one, at this moment.</summary>
        internal double RateHz(long nowNs)
        {
            const long secondNs = 1_000_000_000;
            lock (gate)
            {
                int count = 0;
                while (count < Math.Min(taken, Window) && nowNs - arrivalsNs[(taken - 1 - count) % Window] < secondNs)
                {
                    count++;
                }

                return count;
            }
        }

        /// <summary>Between the two nearest, as NumPy's percentile does.</summary>
        private double Percentile(int count, double share, long offsetNs)
        {
            if (count == 0)
            {
                return double.NaN;
            }

            double place = share * (count - 1);
            int below = (int)place;
            int above = Math.Min(below + 1, count - 1);
            double between = sorted[below] + ((sorted[above] - (double)sorted[below]) * (place - below));
            return (between + offsetNs) / 1e6;
        }
    }
}
