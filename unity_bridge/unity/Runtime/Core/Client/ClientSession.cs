#nullable enable
using System;
using System.Diagnostics;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>From Start to Stop: the links, a thread for each, and what they tell one another.</summary>
    internal sealed class ClientSession
    {
        private const int PollMs = 20;

        /// <summary>
        /// How long Stop waits for the threads, which end within a step: a few ms, seconds on a machine that starves them.
        /// </summary>
        private const int StopMs = 10_000;

        private const long StatusEveryNs = 100_000_000;

        /// <summary>An application that has read no image for so long gets none.</summary>
        private const long ImageReadNs = 1_000_000_000;

        /// <summary>How long the last batches may take to arrive before they count as lost.</summary>
        private const long TailNs = 1_000_000_000;

        private readonly IClock clock;
        private readonly ClientSettings settings;
        private readonly SurfaceStore store;
        private readonly PoseBuffer buffer;
        private readonly Thread[] threads;
        private readonly StatusMaker statusMaker;
        private volatile bool isStopping;
        private volatile bool reportWanted;
        private long closeAtSequence;
        private long statusNs = long.MinValue / 2;
        private long reportNs;
        private string ultrasoundEndpoint = "";
        private uint? ultrasoundPort;
        private long imageReadNs = long.MinValue / 2;

        internal ClientSession(
            ITransport transport,
            IClock clock,
            IBatchListener? listener,
            ClientSettings settings,
            SurfaceStore store,
            EventQueue events,
            ObservationSender observations)
        {
            this.clock = clock;
            this.settings = settings;
            this.store = store;
            buffer = new PoseBuffer(settings);
            reportNs = clock.NowNs;
            var poses = transport.Subscribe(
                settings.PoseEndpoint, Socket(PoseLink.MaxBatchBytes, PoseLink.ReceiveBufferBytes));
            var control = transport.Deal(settings.ControlEndpoint, Socket(ControlLink.MaxMessageBytes, 0));
            var surfaces = transport.Deal(settings.SurfaceEndpoint, Socket(SurfaceLink.MaxMessageBytes, 0));
            Poses = new PoseLink(poses, clock, listener);
            Control = new ControlLink(control, clock, settings, events, store.Pool, observations);
            Surfaces = new SurfaceLink(surfaces, clock, settings, store);
            Contours = new UltrasoundLink(transport, clock, Socket(UltrasoundLink.MaxMessageBytes, 0), false);
            Images = new UltrasoundLink(transport, clock, Socket(UltrasoundLink.MaxMessageBytes, 0), true);
            statusMaker = new StatusMaker(clock, Poses, Surfaces, Control, Contours, Images);
            threads = new[]
            {
                Make("SurgNav poses", () => Poses.Step(PollMs), Poses),
                Make("SurgNav control", StepControl, Control),
                Make("SurgNav surfaces", () => Surfaces.Step(PollMs), Surfaces),
                Make("SurgNav contours", () => Contours.Step(PollMs), Contours),
                Make("SurgNav images", () => Images.Step(PollMs), Images),
            };
        }

        internal PoseLink Poses { get; }

        internal ControlLink Control { get; }

        internal SurfaceLink Surfaces { get; }

        /// <summary>Live ultrasound without its images: these have a connection of their own, and delay no contour.</summary>
        internal UltrasoundLink Contours { get; }

        internal UltrasoundLink Images { get; }

        internal Action<ClientStatus>? StatusMade { get; set; }

        internal void Start()
        {
            foreach (var thread in threads)
            {
                thread.Start();
            }
        }

        internal void Stop()
        {
            isStopping = true;
            Poses.Socket.Wake();
            Control.Socket.Wake();
            Surfaces.Socket.Wake();
            var waited = Stopwatch.StartNew();
            foreach (var thread in threads)
            {
                // A listener that stops the client does so on the pose thread, which cannot wait for itself.
                if (thread != Thread.CurrentThread)
                {
                    thread.Join((int)Math.Max(0, StopMs - waited.ElapsedMilliseconds));
                }
            }
        }

        /// <summary>The display's thread.</summary>
        internal void ReadPoses(long displayNs, PoseFrame frame)
        {
            var facts = Poses.Facts;
            var ring = Poses.Ring;
            for (var batch = ring.Peek(); batch != null; batch = ring.Peek())
            {
                buffer.Add(batch, facts, clock.NowNs);
                ring.Release();
            }

            var newest = ring.TakeNewest();
            if (newest != null)
            {
                buffer.Add(newest, facts, clock.NowNs);
            }

            buffer.Read(displayNs, facts, frame);
        }

        /// <summary>The display's thread. Images are asked for while they are read.</summary>
        internal void ReadUltrasound(long displayNs, bool image, UltrasoundView view)
        {
            if (image)
            {
                Volatile.Write(ref imageReadNs, clock.NowNs);
            }

            (image ? Images : Contours).Inbox.Read(displayNs, Poses.Facts, view);
        }

        /// <summary>One step of the control thread: the link, then what it means for the others.</summary>
        internal void StepControl()
        {
            var counts = Poses.Counts;
            Control.Step(PollMs, counts.SessionId);
            var facts = Control.Facts;
            if (!ReferenceEquals(facts, Poses.Facts))
            {
                Poses.Facts = facts;
            }

            bool mayShow = Control.Welcome != null && Control.SelfTest.MayShow;
            Poses.RateHz = mayShow ? Control.Welcome!.RateHz : 0.0;
            Poses.Token = Control.SelfTest.PoseToken;
            store.IsOpen = mayShow;
            AllowUltrasound(mayShow ? Control.Welcome!.UltrasoundPort : null);
            Surfaces.Allow(Control.IsWelcomed, Control.Welcome != null && Control.Welcome.ResearchSession);
            if (Control.SurfacesHaveChanged)
            {
                Control.SurfacesHaveChanged = false;
                Surfaces.Refresh();
            }

            long nowNs = clock.NowNs;
            if (nowNs - statusNs >= StatusEveryNs)
            {
                statusNs = nowNs;
                StatusMade?.Invoke(statusMaker.Make());
            }

            if (reportWanted)
            {
                reportWanted = false;
                reportNs = nowNs;
                Poses.CloseAt(Control.ServerSession, (ulong)Interlocked.Exchange(ref closeAtSequence, 0));
                Control.AskToReport(statusMaker.MakeReport());
            }
            else if (settings.ReportEveryMs > 0 && nowNs - reportNs >= settings.ReportEveryMs * 1e6 && Control.IsWelcomed)
            {
                reportNs = nowNs;
                Control.AskToReport(statusMaker.MakeReport());
            }
        }

        /// <summary>At the host of the control socket; at a port that is none, nowhere.</summary>
        private void AllowUltrasound(uint? port)
        {
            if (port != ultrasoundPort)
            {
                ultrasoundPort = port;
                string host = settings.ControlEndpoint.Substring(0, settings.ControlEndpoint.LastIndexOf(':'));
                ultrasoundEndpoint = port is uint there && there >= 1 && there <= 65535 ? $"{host}:{there}" : "";
            }

            bool isRead = clock.NowNs - Volatile.Read(ref imageReadNs) < ImageReadNs;
            Contours.Allow(ultrasoundEndpoint, Control.SelfTest.PoseToken);
            Images.Allow(isRead ? ultrasoundEndpoint : "", Control.SelfTest.PoseToken);
        }

        /// <summary>An application's thread that may wait.</summary>
        internal bool Report(int timeoutMs)
        {
            long endNs = clock.NowNs + (timeoutMs * 1_000_000L);
            int welcomes = Control.Welcomes;
            Control.AskForState();
            if (WaitFor(() => Control.Welcomes != welcomes, endNs))
            {
                var welcome = Control.Welcome!;
                long tailNs = Math.Min(endNs, clock.NowNs + TailNs);
                WaitFor(() => Poses.Counts.LastSequence >= welcome.LastPoseSequence, tailNs);
                Interlocked.Exchange(ref closeAtSequence, (long)welcome.LastPoseSequence);
            }

            int taken = Control.ReportsTaken;
            reportWanted = true; // the control thread counts and sends
            return WaitFor(() => Control.ReportsTaken != taken, endNs);
        }

        private static bool WaitFor(Func<bool> condition, long endNs, IClock clock)
        {
            while (!condition())
            {
                if (clock.NowNs >= endNs)
                {
                    return false;
                }

                Thread.Sleep(2);
            }

            return true;
        }

        private bool WaitFor(Func<bool> condition, long endNs) => WaitFor(condition, endNs, clock);

        private SocketSettings Socket(int maxMessageBytes, int receiveBufferBytes)
        {
            return new SocketSettings
            {
                Keys = settings.Keys,
                MaxMessageBytes = maxMessageBytes,
                ReceiveBufferBytes = receiveBufferBytes,
            };
        }

        private Thread Make(string name, Action step, IDisposable link)
        {
            return new Thread(() => Run(step, link)) { Name = name, IsBackground = true };
        }

        private void Run(Action step, IDisposable link)
        {
            try
            {
                while (!isStopping)
                {
                    step();
                }
            }
            catch (Exception error) when (isStopping || error.GetBaseException() is ThreadAbortException)
            {
                // Nobody hears of it any more. Mono aborts what still runs when the process ends, and an abort that a
                // library wraps in an exception of its own would end the process as a crash.
            }
            finally
            {
                link.Dispose();
            }
        }
    }
}
