#nullable enable
using System;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// How long nothing has come on a link on which something should: TCP does not always tell that it is broken. After each
    /// new connection that changed nothing it is twice as patient, up to 4 times: a server that is only slow is not overrun.
    /// Between two questions a quarter of a second counts at the most: a program that was held up itself has not listened,
    /// and what came meanwhile still lies in its queue.
    /// </summary>
    internal sealed class Silence
    {
        private const int Longest = 4;
        private const long HeldUpNs = 250_000_000;
        private long sinceNs;
        private long askedNs;
        private int times = 1;

        internal Silence(long nowNs)
        {
            Excused(nowNs);
        }

        /// <summary>Something has come.</summary>
        internal void Broken(long nowNs)
        {
            Excused(nowNs);
            times = 1;
        }

        /// <summary>Nothing is to come now: the counting begins when something is.</summary>
        internal void Excused(long nowNs)
        {
            sinceNs = nowNs;
            askedNs = nowNs;
        }

        /// <summary>Whether to make a new connection now. Says so once for each. To be asked several times a second.</summary>
        internal bool IsTooLong(long patienceNs, long nowNs)
        {
            sinceNs += Math.Max(0, nowNs - askedNs - HeldUpNs);
            askedNs = nowNs;
            if (nowNs - sinceNs <= times * patienceNs)
            {
                return false;
            }

            sinceNs = nowNs;
            times = Math.Min(2 * times, Longest);
            return true;
        }
    }
}
