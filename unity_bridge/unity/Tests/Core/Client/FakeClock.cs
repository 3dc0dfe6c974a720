#nullable enable
using SurgNav.Core.Client;

namespace SurgNav.Core.Tests
{
    /// <summary>Time stands still until the test moves it.</summary>
    internal sealed class FakeClock : IClock
    {
        internal const long Ms = 1_000_000;

        internal FakeClock(long nowNs = 0, string clockId = "test client")
        {
            NowNs = nowNs;
            ClockId = clockId;
        }

        public string ClockId { get; }

        public long NowNs { get; internal set; }

        internal void AdvanceMs(double milliseconds) => NowNs += (long)(milliseconds * Ms);
    }
}
