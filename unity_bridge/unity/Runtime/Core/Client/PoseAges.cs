#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// From which age a pose is stale, and lost, whatever its message says: as the server's Welcome has it, or earlier if
    /// the application wants that; never later. Zeros, which nobody filled in, let nothing be valid.
    /// </summary>
    internal readonly struct PoseAges : IEquatable<PoseAges>
    {
        /// <summary>A pose may be so much newer than now, beyond the clocks' bound; more is a clock gone wrong.</summary>
        internal const long FutureNs = 100_000_000;

        /// <summary>Where neither the server nor the application says otherwise.</summary>
        private const double UsualStaleMs = 100.0;
        private const double UsualLostMs = 250.0;

        private readonly long staleNs;
        private readonly long lostNs;

        private PoseAges(double staleMs, double lostMs)
        {
            staleNs = Ns(staleMs);
            lostNs = Ns(lostMs);
        }

        internal static PoseAges Of(ClientSettings settings, Welcome? welcome)
        {
            double staleMs = welcome?.PoseStaleAfterMs ?? UsualStaleMs;
            double lostMs = welcome?.PoseLostAfterMs ?? UsualLostMs;
            return new PoseAges(
                Math.Min(staleMs, settings.StaleAfterMs ?? staleMs), Math.Min(lostMs, settings.HideAfterMs ?? lostMs));
        }

        public bool Equals(PoseAges other) => staleNs == other.staleNs && lostNs == other.lostNs;

        /// <summary>What the age alone says.</summary>
        /// <param name="ageNs">At its worst: the clocks' bound is in it.</param>
        internal Validity Judge(long ageNs)
        {
            return ageNs > lostNs ? Validity.Lost : ageNs > staleNs ? Validity.Stale : Validity.Valid;
        }

        /// <summary>Numbers of any size: nobody is shown for longer than a day.</summary>
        private static long Ns(double milliseconds) => (long)(Math.Max(0.0, Math.Min(milliseconds, 86_400_000.0)) * 1e6);
    }
}
