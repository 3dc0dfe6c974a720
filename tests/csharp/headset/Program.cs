#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.Headset
{
    /// <summary>
    /// The C# client as a headset: the arguments, the report and the exit codes of `python -m unity_bridge.client`.
    /// 0: everything was received and the report was taken; 1: something is missing (the report says what); 2: no server,
    /// or a usage error.
    /// </summary>
    public static class Program
    {
        private const int ReportMs = 5000;

        public static int Main(string[] arguments)
        {
            try
            {
                if (arguments.Length == 1 && arguments[0] == "clock")
                {
                    Console.Out.WriteLine(BootClock.Name());
                    return 0;
                }

                bool isMeasurement = arguments.Length == 3 && arguments[0] == "measure";
                return isMeasurement ? PoseMeasurement.Run(arguments[1], int.Parse(arguments[2])) : Run(Arguments.Parse(arguments));
            }
            catch (Exception error) when (error is SettingsException || error is TransportException || error is IOException)
            {
                Console.Error.WriteLine(error.Message);
                return 2;
            }
        }

        private static int Run(Arguments arguments)
        {
            // This machine's programs share its monotonic clock; the exchange checks that they do.
            var clock = new StopwatchClock(BootClock.Name());
            var recorder = new Recorder(arguments.MaxBatches);
            using var client = new NavigationClient(new ZmtpTransport(), clock, recorder);
            client.Start(arguments.Settings());
            var headset = new Headset(client, clock) { Ultrasound = arguments.Ultrasound };
            bool isReady = headset.RunUntil(() => IsReady(client.Status) || Refusal(client.Status).Length > 0, arguments.TimeoutS)
                && IsReady(client.Status);
            long readyNs = clock.NowNs;
            if (isReady)
            {
                headset.Send(arguments.Events);
                headset.Worn = WornHeadset.Parse(arguments.Anchors, clock.NowNs);
                headset.IsWatched = true;
                headset.RunUntil(() => false, arguments.DurationS);
                headset.IsWatched = false;
            }

            bool isTaken = client.Status.IsWelcomed && client.Report(ReportMs);
            recorder.Freeze();
            headset.Look();
            Thread.Sleep(150); // the status is renewed every 100 ms
            var report = new Report(client.Status, recorder, headset, isReady ? readyNs : (long?)null, isTaken);
            Write(arguments.ReportTo, report.Json() + "\n");
            if (arguments.RecordTo != null && client.Status.Statistics.HasClockOffset)
            {
                recorder.Save(arguments.RecordTo, client.Status.Statistics.AppliedClockOffsetNs, headset.Surfaces);
            }

            return report.IsComplete ? 0 : isReady ? 1 : 2;
        }

        /// <summary>Welcomed and tested, the clock settled, every surface here, poses coming in.</summary>
        private static bool IsReady(ClientStatus status)
        {
            bool isTested = status.SelfTest == SelfTestStatus.NotNeeded || status.SelfTest == SelfTestStatus.Passed;
            var statistics = status.Statistics;
            return status.IsWelcomed && isTested && statistics.ClockIsSettled && statistics.SurfacesAreDone
                && statistics.BatchesReceived > 0;
        }

        internal static string Refusal(ClientStatus status)
        {
            return status.Control.State == LinkState.Refused ? status.Control.Reason
                : status.Poses.State == LinkState.Refused ? status.Poses.Reason : "";
        }

        private static void Write(string target, string text)
        {
            if (target == "-")
            {
                Console.Out.Write(text);
            }
            else
            {
                File.WriteAllText(target, text, new UTF8Encoding(false));
            }
        }
    }

    /// <summary>What an application does once a frame: looks at the poses, takes surfaces and events.</summary>
    internal sealed class Headset
    {
        private const int FrameMs = 11;
        private readonly NavigationClient client;
        private readonly IClock clock;
        private readonly PoseFrame frame = new PoseFrame();
        private readonly UltrasoundView contours = new UltrasoundView();
        private readonly UltrasoundView images = new UltrasoundView();
        private readonly SortedDictionary<string, long[]> displayed = new SortedDictionary<string, long[]>(StringComparer.Ordinal);
        private readonly SortedDictionary<string, SurfaceMesh> surfaces =
            new SortedDictionary<string, SurfaceMesh>(StringComparer.Ordinal);

        internal Headset(NavigationClient client, IClock clock)
        {
            this.client = client;
            this.clock = clock;
        }

        /// <summary>Tool -> in how many frames it was hidden, greyed, shown.</summary>
        internal IReadOnlyDictionary<string, long[]> Displayed => displayed;

        /// <summary>What is read is noted, for its age.</summary>
        internal bool IsWatched { get; set; }

        /// <summary>A headset whose world is somewhere; null for a program that is none.</summary>
        internal WornHeadset? Worn { get; set; }

        /// <summary>What is read of live ultrasound; empty for nothing.</summary>
        internal string Ultrasound { get; set; } = "";

        /// <summary>In how many frames the contours were hidden, greyed, shown; then the same of images.</summary>
        internal long[] UltrasoundDisplayed { get; } = new long[6];

        internal string UltrasoundReason => contours.Reason;

        internal DisplayLog Display { get; } = new DisplayLog();

        internal long Frames { get; private set; }

        /// <summary>Frames in which the whole was valid.</summary>
        internal long ValidFrames { get; private set; }

        /// <summary>Times that a surface was added, coarse levels included.</summary>
        internal int Added { get; private set; }

        internal int Removed { get; private set; }

        internal IReadOnlyCollection<SurfaceMesh> Surfaces => surfaces.Values;

        internal List<EventAnswer> Answers { get; } = new List<EventAnswer>();

        internal List<ServerEvent> ServerEvents { get; } = new List<ServerEvent>();

        internal bool RunUntil(Func<bool> condition, double seconds)
        {
            long endNs = clock.NowNs + (long)(seconds * 1e9);
            while (!condition())
            {
                if (clock.NowNs >= endNs)
                {
                    return false;
                }

                Look();
                Thread.Sleep(FrameMs);
            }

            return true;
        }

        internal void Look()
        {
            long nowNs = client.NowNs;
            client.ReadPoses(nowNs, frame);
            if (IsWatched)
            {
                var statistics = client.Status.Statistics;
                Display.Note(frame, nowNs, statistics.HasClockOffset ? statistics.AppliedClockOffsetNs : (long?)null);
            }

            Worn?.Look(client);
            LookAtUltrasound(nowNs);
            Frames++;
            ValidFrames += frame.Validity == Validity.Valid ? 1 : 0;
            foreach (var view in frame.Tools)
            {
                if (!displayed.TryGetValue(view.Tool, out var counts))
                {
                    displayed[view.Tool] = counts = new long[3];
                }

                counts[(int)view.Display]++;
            }

            while (client.Surfaces.TryTakeChange(out var change))
            {
                Added += change.Kind == SurfaceChangeKind.Added ? 1 : 0;
                Removed += change.Kind == SurfaceChangeKind.Removed ? 1 : 0;
                Take(change);
            }

            while (client.Events.TryTakeAnswer(out var answer))
            {
                Answers.Add(answer);
            }

            while (client.Events.TryTakeServerEvent(out var happened))
            {
                ServerEvents.Add(happened);
            }
        }

        private void LookAtUltrasound(long nowNs)
        {
            if (Ultrasound.Length > 0)
            {
                client.ReadUltrasound(nowNs, false, contours);
                UltrasoundDisplayed[(int)contours.Display]++;
            }

            if (Ultrasound == "images")
            {
                client.ReadUltrasound(nowNs, true, images);
                UltrasoundDisplayed[3 + (int)images.Display]++;
            }
        }

        /// <summary>Sends events written as KIND:NAME.</summary>
        internal void Send(IEnumerable<string> events)
        {
            foreach (string each in events)
            {
                int colon = each.IndexOf(':');
                var happened = new ClientEvent
                {
                    Kind = colon < 0 ? each : each.Substring(0, colon),
                    Name = colon < 0 ? "" : each.Substring(colon + 1),
                    Person = "headset test",
                    Frame = "reference",
                    PositionM = new[] { 0.01, 0.02, 0.03 },
                    Tool = "stylus",
                    Reason = "asked for by the test",
                    RegistrationId = client.Status.RegistrationId,
                };
                client.Events.TrySend(happened, out _);
            }
        }

        private void Take(SurfaceChange change)
        {
            if (surfaces.TryGetValue(change.Name, out var old))
            {
                old.Release();
                surfaces.Remove(change.Name);
            }

            if (change.Mesh != null)
            {
                surfaces.Add(change.Name, change.Mesh);
            }
        }
    }
}
