#nullable enable
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Puts together what the links count: for the panel, and for the server.</summary>
    internal sealed class StatusMaker
    {
        private readonly IClock clock;
        private readonly PoseLink poses;
        private readonly SurfaceLink surfaces;
        private readonly ControlLink control;
        private readonly UltrasoundLink contours;
        private readonly UltrasoundLink images;

        internal StatusMaker(
            IClock clock, PoseLink poses, SurfaceLink surfaces, ControlLink control, UltrasoundLink contours, UltrasoundLink images)
        {
            this.contours = contours;
            this.images = images;
            this.clock = clock;
            this.poses = poses;
            this.surfaces = surfaces;
            this.control = control;
        }

        internal ClientStatus Make()
        {
            var welcome = control.Welcome;
            var counts = poses.Counts;
            bool hasBatch = counts.Received > 0 && counts.SessionId == control.ServerSession;
            var status = new ClientStatus
            {
                Poses = Link(poses.Socket),
                Surfaces = Link(surfaces.Socket),
                Control = Link(control.Socket),
                IsWelcomed = control.IsWelcomed,
                SelfTest = control.SelfTest.Status,
                SelfTestReason = control.SelfTest.Reasons,
                Obstacle = control.Facts.Obstacle,
                MissingSurfaces = surfaces.Shelf.Missing,
                Statistics = Statistics(counts),
                UltrasoundContours = Ultrasound(contours),
                UltrasoundImages = Ultrasound(images),
            };
            if (welcome != null)
            {
                status.ServerName = welcome.ServerName;
                status.Notice = welcome.Notice;
                status.ResearchSession = welcome.ResearchSession;
                status.RegistrationId = welcome.RegistrationId;
                status.Registration = hasBatch ? counts.Validity : welcome.RegistrationValidity;
                status.RegistrationReason = hasBatch ? counts.Reason : welcome.RegistrationReason;
                JudgeAge(status, counts, hasBatch);
                status.SelectedTarget = welcome.SelectedTarget ?? "";
                status.OpenRequests = welcome.OpenRequests;
            }

            return status;
        }

        /// <summary>What the newest batch said of all holds for as long as a pose does.</summary>
        private void JudgeAge(ClientStatus status, in PoseCounts counts, bool hasBatch)
        {
            var facts = control.Facts;
            if (!hasBatch || !facts.HasClock || counts.Validity == Validity.Lost)
            {
                return;
            }

            long ageNs = facts.AgeNs(counts.CaptureNs, clock.NowNs);
            var byAge = facts.Ages.Judge(ageNs);
            if (byAge == Validity.Lost || (byAge == Validity.Stale && counts.Validity != Validity.Stale))
            {
                status.Registration = byAge;
                status.RegistrationReason = AgeWords.Of(ageNs);
            }
        }

        internal ClientReport MakeReport()
        {
            var counts = poses.Counts;
            var statistics = Statistics(counts);
            var report = new ClientReport
            {
                BatchesReceived = counts.Received,
                PosesLost = counts.Lost,
                FirstSequence = counts.FirstSequence,
                LastSequence = counts.LastSequence,
                MessagesRefused = statistics.MessagesRefused,
            };
            if (!double.IsNaN(statistics.LatencyP50Ms))
            {
                report.LatencyP50Ms = statistics.LatencyP50Ms;
                report.LatencyP99Ms = statistics.LatencyP99Ms;
                report.LatencyP999Ms = statistics.LatencyP999Ms;
            }

            if (control.TryMeasuredOffset(out var offset))
            {
                report.ClockOffsetNs = offset.OffsetNs;
                report.ClockErrorNs = offset.ErrorNs;
            }

            surfaces.Shelf.Received(report.Surfaces);
            return report;
        }

        private UltrasoundCounts Ultrasound(UltrasoundLink link)
        {
            var counts = link.Counts;
            var facts = control.Facts;
            link.Latencies.Percentiles(facts.Offset.OffsetNs, out double p50Ms, out double p99Ms, out _);
            counts.LatencyP50Ms = facts.HasClock ? p50Ms : double.NaN;
            counts.LatencyP99Ms = facts.HasClock ? p99Ms : double.NaN;
            return counts;
        }

        private static LinkStatus Link(IMessageSocket socket)
        {
            switch (socket.State)
            {
                case SocketState.Connected:
                    return new LinkStatus(LinkState.Open, "", socket.Reconnections);
                case SocketState.Refused:
                    return new LinkStatus(LinkState.Refused, socket.Reason, socket.Reconnections);
                case SocketState.Closed:
                    return new LinkStatus(LinkState.Stopped, socket.Reason, socket.Reconnections);
                default:
                    return new LinkStatus(LinkState.Connecting, socket.Reason, socket.Reconnections);
            }
        }

        private ClientStatistics Statistics(in PoseCounts counts)
        {
            var shelf = surfaces.Shelf.Counts;
            var facts = control.Facts;
            var statistics = new ClientStatistics
            {
                BatchesReceived = counts.Received,
                BatchesLost = counts.Lost,
                MessagesRefused = counts.Refused + shelf.Refused + control.Refused,
                LastRefusal = counts.LastRefusal.Length > 0 ? counts.LastRefusal
                    : shelf.LastRefusal.Length > 0 ? shelf.LastRefusal : control.LastRefusal,
                FirstSequence = counts.FirstSequence,
                LastSequence = counts.LastSequence,
                RateHz = poses.Latencies.RateHz(clock.NowNs),
                LatencyP50Ms = double.NaN,
                LatencyP99Ms = double.NaN,
                LatencyP999Ms = double.NaN,
                HasClockOffset = facts.HasClock,
                AppliedClockOffsetNs = facts.Offset.OffsetNs,
                ClockIsSettled = control.ClockIsSettled,
                SurfacesReceived = shelf.Received,
                SurfacesUnderWay = shelf.UnderWay,
                SurfacesAreDone = surfaces.IsDone,
                SurfaceBytesReceived = shelf.Bytes,
                Sessions = counts.Sessions,
            };
            if (control.TryMeasuredOffset(out var measured))
            {
                statistics.ClockOffsetNs = measured.OffsetNs;
                statistics.ClockErrorNs = measured.ErrorNs;
            }

            if (facts.HasClock)
            {
                poses.Latencies.Percentiles(
                    facts.Offset.OffsetNs, out double p50Ms, out double p99Ms, out double p999Ms);
                statistics.LatencyP50Ms = p50Ms;
                statistics.LatencyP99Ms = p99Ms;
                statistics.LatencyP999Ms = p999Ms;
            }

            return statistics;
        }
    }
}
