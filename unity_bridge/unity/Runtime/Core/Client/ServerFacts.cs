#nullable enable
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

        /// <summary>Nothing is known: nothing is shown.</summary>
        internal ServerFacts(string obstacle)
        {
            Obstacle = obstacle;
        }

        internal ServerFacts(SessionId sessionId, ulong clock, ClockOffset offset, string obstacle)
        {
            this.sessionId = sessionId;
            this.clock = clock;
            Offset = offset;
            Obstacle = obstacle;
            HasClock = true;
        }

        /// <summary>Why nothing may be shown; empty if it may.</summary>
        internal string Obstacle { get; }

        /// <summary>The clocks were compared.</summary>
        internal bool HasClock { get; }

        internal ClockOffset Offset { get; }

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

        internal bool IsOf(SessionId session, ulong otherClock, in ClockOffset offset)
        {
            return sessionId == session && clock == otherClock
                && Offset.OffsetNs == offset.OffsetNs && Offset.ErrorNs == offset.ErrorNs;
        }

        internal long ToServerNs(long clientNs) => clientNs + Offset.OffsetNs;
    }
}
