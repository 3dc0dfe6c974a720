#nullable enable
using System;
using System.Collections.Generic;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// A client of a SurgNav server. Start it, then once a frame from the application's own thread: ReadPoses, take the
    /// surfaces' changes, take the events, look at the status. None of these waits for the network or for a transfer.
    /// Poses, surfaces and control have a thread each, so that a stall in one does not touch another.
    /// </summary>
    public sealed class NavigationClient : IDisposable
    {
        private const long KeptSurfaceBytes = 256L * 1024 * 1024;
        private readonly ITransport transport;
        private readonly IClock clock;
        private readonly IBatchListener? listener;
        private ClientSession? session;
        private ClientStatus status = new ClientStatus();

        /// <param name="transport">Makes the sockets: ZmtpTransport.</param>
        /// <param name="clock">The machine's by default.</param>
        /// <param name="listener">Hears every batch, on the pose thread.</param>
        public NavigationClient(ITransport transport, IClock? clock = null, IBatchListener? listener = null)
        {
            this.transport = transport;
            this.clock = clock ?? new StopwatchClock();
            this.listener = listener;
            Surfaces = new SurfaceStore(new BufferPool(KeptSurfaceBytes));
            Events = new EventQueue(this.clock);
        }

        /// <summary>The client's monotonic time: what ReadPoses wants to hear, plus what the display takes.</summary>
        public long NowNs => clock.NowNs;

        /// <summary>Surfaces to add and to remove.</summary>
        public SurfaceStore Surfaces { get; }

        /// <summary>What persons do, what the server tells.</summary>
        public EventQueue Events { get; }

        /// <summary>What the headset sees itself.</summary>
        public ObservationSender Observations { get; } = new ObservationSender();

        /// <summary>A snapshot of a moment ago, renewed ten times a second; does not change.</summary>
        public ClientStatus Status => Volatile.Read(ref status);

        public bool IsStarted => session != null;

        /// <summary>Connects, and keeps connecting until Stop.</summary>
        /// <exception cref="SettingsException">Settings that cannot be.</exception>
        /// <exception cref="TransportException">An endpoint that is none.</exception>
        /// <exception cref="InvalidOperationException">Started already.</exception>
        public void Start(ClientSettings settings)
        {
            if (session != null)
            {
                throw new InvalidOperationException("the client is started already: Stop it first");
            }

            session = new ClientSession(transport, clock, listener, settings.Checked(), Surfaces, Events, Observations);
            session.StatusMade = made => Volatile.Write(ref status, made);
            session.Start();
        }

        /// <summary>
        /// Everything tracked, at a moment of display: interpolated, predicted for a short while, then frozen, stale and
        /// hidden. To be called from one thread. Makes no garbage.
        /// </summary>
        /// <param name="displayNs">When the frame will be seen: NowNs plus what rendering and display take.</param>
        /// <param name="frame">Filled in; it keeps its memory.</param>
        public void ReadPoses(long displayNs, PoseFrame frame)
        {
            if (session == null)
            {
                frame.Clear("the client is not started");
                return;
            }

            session.ReadPoses(displayNs, frame);
        }

        /// <summary>
        /// Where a tool is beside the plan, as the server computes it, at a moment of display. Without numbers that may be
        /// shown there is the reason.
        /// </summary>
        /// <param name="tool">Its name on the wire.</param>
        /// <param name="displayNs">As for ReadPoses.</param>
        /// <param name="guidance">Null unless it is valid; not to be changed.</param>
        /// <param name="reason">Empty if it is valid.</param>
        public bool TryReadGuidance(string tool, long displayNs, out ToolGuidance? guidance, out string reason)
        {
            if (session == null)
            {
                guidance = null;
                reason = "the client is not started";
                return false;
            }

            return session.Poses.Guidance.TryRead(tool, displayNs, session.Poses.Facts, out guidance, out reason);
        }

        /// <summary>The plan that guidance leads along, at a moment of display. From the thread of ReadPoses.</summary>
        /// <param name="displayNs">As for ReadPoses.</param>
        /// <param name="plan">Another object as often as the server tells it; null where none holds; not to be changed.</param>
        /// <param name="reason">Empty if there is one.</param>
        public bool TryReadPlan(long displayNs, out GuidancePlan? plan, out string reason)
        {
            if (session == null)
            {
                plan = null;
                reason = "the client is not started";
                return false;
            }

            return session.Poses.Guidance.TryReadPlan(displayNs, session.Poses.Facts, out plan, out reason);
        }

        /// <summary>
        /// Live ultrasound at a moment of display: the newest frame with its contours, and with its image if that is asked for.
        /// Images come over a connection of their own, fewer where the link is slow; contours do not wait for them, so read
        /// both, each into its own view. From the thread of ReadPoses. Makes no garbage.
        /// </summary>
        /// <param name="displayNs">As for ReadPoses.</param>
        /// <param name="withImage">Images are sent while somebody reads them.</param>
        /// <param name="view">Filled in; what it shows is valid until the next reading of the same kind.</param>
        public void ReadUltrasound(long displayNs, bool withImage, UltrasoundView view)
        {
            if (session == null)
            {
                view.Hide("the client is not started");
                return;
            }

            session.ReadUltrasound(displayNs, withImage, view);
        }

        /// <summary>
        /// Sends what the headset sees now, in place of what was not sent yet: for headsets that are a device of the
        /// server's room.
        /// </summary>
        /// <param name="anchor">Names the place of the headset's world: another one whenever it is placed anew.</param>
        /// <param name="seenNs">When the sensor saw it: NowNs less what the headset took until now.</param>
        /// <param name="tools">Every tool that the headset looks for, seen or not; not to be changed afterwards.</param>
        /// <returns>Empty, or why it can never be sent.</returns>
        public string Observe(string anchor, long seenNs, IReadOnlyList<ObservedTool> tools)
        {
            string trouble = Observations.TryPut(anchor, seenNs, tools);
            session?.Control.Socket.Wake();
            return trouble;
        }

        /// <summary>
        /// Where the frame `tracker` may be shown in the headset's world now, by the calibration that the server has, or why
        /// it may not: for headsets that send what they see. Any thread; makes no garbage while it may be shown.
        /// </summary>
        /// <param name="anchor">Names the place of the headset's world now, as for Observe.</param>
        public Overlay ReadOverlay(string anchor)
        {
            string obstacle = session == null ? "the client is not started" : session.Control.Facts.Obstacle;
            return obstacle.Length > 0 ? Overlay.Hidden(obstacle) : Observations.Overlay.At(anchor, clock.NowNs);
        }

        /// <summary>
        /// The self-test that the server asks for, if the settings say that the application places it itself: once for
        /// each connection. Nothing else is shown until the server has judged it.
        /// </summary>
        public bool TryTakeSelfTest(out SelfTest test)
        {
            test = null!;
            return session != null && session.Control.SelfTest.TryTake(out test);
        }

        /// <summary>
        /// Asks the server how far it has come, counts what is missing by then as lost, and reports. Waits, and so is not
        /// for a thread that draws; Stop does without it.
        /// </summary>
        /// <returns>True if the server has acknowledged the report in time.</returns>
        public bool Report(int timeoutMs)
        {
            return session != null && session.Report(timeoutMs);
        }

        /// <summary>
        /// Says goodbye, closes everything and waits until its threads have ended: 50 ms or so, 10 s at the most. May be called
        /// again, and Start after it.
        /// </summary>
        public void Stop()
        {
            session?.Stop();
            session = null;
            Volatile.Write(ref status, new ClientStatus());
        }

        public void Dispose() => Stop();
    }
}
