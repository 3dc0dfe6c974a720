#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>
    /// How long to wait before the next attempt: twice as long after each failure, and never the same for two clients, so
    /// that a server that comes back is not run over.
    /// </summary>
    internal sealed class Backoff
    {
        private readonly Random random;
        private readonly int minMs;
        private readonly int maxMs;
        private int failures;

        internal Backoff(int minMs, int maxMs, Random random)
        {
            this.minMs = minMs;
            this.maxMs = maxMs;
            this.random = random;
        }

        internal void Reset() => failures = 0;

        /// <summary>After a refusal the longest wait, since nothing will have changed soon.</summary>
        internal int NextMs(bool refused)
        {
            double doubled = minMs * Math.Pow(2.0, Math.Min(failures, 30));
            failures++;
            double wait = refused ? maxMs : Math.Min(maxMs, doubled);
            return (int)(wait * (0.75 + (0.5 * random.NextDouble())));
        }
    }
}
