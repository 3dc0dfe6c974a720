#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What the display must know of the server: how its clock stands to ours, and whether anything may be shown. Does not
    /// change: newer facts take its place, which other threads see whole.
    /// </summary>
    internal sealed class ServerFacts
    {
        private readonly SessionId sessionId;
        private readonly ulong clock;
        private readonly long comparedNs;

        /// <summary>Nothing is known: nothing is shown.</summary>
        internal ServerFacts(string obstacle)
        {
            Obstacle = obstacle;
        }

        /// <param name="sessionId">The run of the server.</param>
        /// <param name="clock">Its clock, as headers name it.</param>
        /// <param name="offset">From our clock to that.</param>
        /// <param name="comparedNs">When they were compared last, on our clock: from then on the bound grows.</param>
        /// <param name="ages">From when on a pose is old.</param>
        /// <param name="obstacle">Why nothing may be shown; empty if it may.</param>
        internal ServerFacts(
            SessionId sessionId, ulong clock, ClockOffset offset, long comparedNs, PoseAges ages, string obstacle)
        {
            this.sessionId = sessionId;
            this.clock = clock;
            this.comparedNs = comparedNs;
            Offset = offset;
            Ages = ages;
            Obstacle = obstacle;
            HasClock = true;
        }

        /// <summary>Why nothing may be shown; empty if it may.</summary>
        internal string Obstacle { get; }

        /// <summary>The clocks were compared.</summary>
        internal bool HasClock { get; }

        internal ClockOffset Offset { get; }

        internal PoseAges Ages { get; }

        /// <summary>The message was stamped by the clock that was compared with ours.</summary>
        internal bool Fits(in MessageHeader header)
        {
            return HasClock && header.SessionId == sessionId && header.Clock == clock;
        }

        /// <summary>Times of this message can never be compared with ours: refuse it.</summary>
        internal bool IsAnotherClock(in MessageHeader header)
        {
            return HasClock && header.SessionId == sessionId && header.Clock != clock;
        }

        internal bool IsOf(SessionId session, ulong otherClock, in ClockOffset offset, long atNs, PoseAges ages)
        {
            return sessionId == session && clock == otherClock && comparedNs == atNs && Ages.Equals(ages)
                && Offset.OffsetNs == offset.OffsetNs && Offset.ErrorNs == offset.ErrorNs;
        }

        internal long ToServerNs(long clientNs) => clientNs + Offset.OffsetNs;

        /// <summary>
        /// By how much the offset may be off at a moment on our clock: clocks drift apart from their last comparison on. One
        /// clock that both sides share does not.
        /// </summary>
        internal long ErrorNsAt(long clientNs)
        {
            long sinceMs = Math.Max(0, clientNs - comparedNs) / 1_000_000;
            return Offset.ErrorNs > 0 ? Offset.ErrorNs + (sinceMs * ClockExchange.DriftPpm) : 0;
        }

        /// <summary>How old what was captured then is at a moment on our clock, at its worst.</summary>
        internal long AgeNs(long captureNs, long clientNs) => ToServerNs(clientNs) + ErrorNsAt(clientNs) - captureNs;

        /// <summary>A capture time that cannot be: the clocks disagree.</summary>
        internal bool IsFromFuture(long captureNs, long clientNs)
        {
            return captureNs - ToServerNs(clientNs) > ErrorNsAt(clientNs) + PoseAges.FutureNs;
        }
    }
}
