#nullable enable
using System;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// A client of a SurgNav server. Start it, then once a frame from the application's own thread: ReadPoses, take the
    /// surfaces' changes, take the events, look at the status. None of these waits for the network or for a transfer.
    /// </summary>
    public sealed class NavigationClient : IDisposable
    {
        private readonly IClock clock;

        public NavigationClient(IClock? clock = null)
        {
            this.clock = clock ?? new StopwatchClock();
            Surfaces = new SurfaceStore(new BufferPool(256L * 1024 * 1024));
        }

        /// <summary>The client's monotonic time: what ReadPoses wants to hear, plus what the display takes.</summary>
        public long NowNs => clock.NowNs;

        /// <summary>Surfaces to add and to remove.</summary>
        public SurfaceStore Surfaces { get; }

        /// <summary>What persons do, what the server tells.</summary>
        public EventQueue Events { get; } = new EventQueue();

        /// <summary>A snapshot of a moment ago, renewed four times a second.</summary>
        public ClientStatus Status { get; private set; } = new ClientStatus();

        public bool IsStarted { get; private set; }

        /// <summary>Connects, and keeps connecting until Stop.</summary>
        /// <exception cref="SettingsException">Settings that cannot be.</exception>
        /// <exception cref="InvalidOperationException">Started already.</exception>
        public void Start(ClientSettings settings)
        {
            settings.Checked();
            throw new NotSupportedException("the links follow within the hour");
        }

        /// <summary>
        /// Everything tracked, at a moment of display: interpolated, predicted for a short while, then frozen, stale and
        /// hidden. To be called from one thread. Makes no garbage.
        /// </summary>
        /// <param name="displayNs">When the frame will be seen: NowNs plus what rendering and display take.</param>
        /// <param name="frame">Filled in; it keeps its memory.</param>
        public void ReadPoses(long displayNs, PoseFrame frame)
        {
            frame.Count = 0;
        }

        /// <summary>
        /// The self-test that the server asks for, if the settings say that the application places it itself: once for
        /// each connection. Nothing else is shown until the server has judged it.
        /// </summary>
        public bool TryTakeSelfTest(out SelfTest test)
        {
            test = null!;
            return false;
        }

        /// <summary>Says goodbye and closes everything, within 50 ms or so. May be called again, and Start after it.</summary>
        public void Stop()
        {
            IsStarted = false;
        }

        public void Dispose() => Stop();
    }
}
