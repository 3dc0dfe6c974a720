#nullable enable
using System.Diagnostics;

namespace SurgNav.Core.Client
{
    /// <summary>A clock that never steps back; the wall clock is none.</summary>
    public interface IClock
    {
        /// <summary>Names the time scale: equal names are one scale, which the exchange with the server checks.</summary>
        string ClockId { get; }

        /// <summary>Nanoseconds since a moment that stays the same while the program runs.</summary>
        long NowNs { get; }
    }

    /// <summary>The machine's monotonic clock.</summary>
    public sealed class StopwatchClock : IClock
    {
        private const long NsPerSecond = 1_000_000_000;
        private static readonly long Frequency = Stopwatch.Frequency;

        /// <param name="clockId">
        /// A headset's is its own. On the server's machine the server's name for it, docs/unity_bridge/protocol.md, section 6, claims its scale.
        /// </param>
        public StopwatchClock(string clockId = "headset")
        {
            ClockId = clockId;
        }

        public string ClockId { get; }

        public long NowNs
        {
            get
            {
                // In two parts: ticks times a billion overflow within minutes.
                long ticks = Stopwatch.GetTimestamp();
                long seconds = ticks / Frequency;
                return (seconds * NsPerSecond) + ((ticks - (seconds * Frequency)) * NsPerSecond / Frequency);
            }
        }
    }
}
