#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The newest guidance, and what a display may show of it. Take belongs to the pose thread, TryRead to the display's.
    /// Fails closed: without validity, or too old, there are no numbers but a reason.
    /// </summary>
    internal sealed class GuidanceInbox
    {
        private const string NoGuidance = "no guidance from the server: the case has no plan";
        private const string NotWelcomed = "the server has started anew: waiting for its welcome";
        private const string Future = "a time stamp of the future: the clocks disagree";

        private readonly SequenceGuard guard = new SequenceGuard();
        private Received? newest;

        /// <summary>Whether the header says that this is guidance or its plan; nothing else is checked.</summary>
        internal static bool IsGuidance(ReadOnlySpan<byte> message)
        {
            var type = Envelope.TypeOf(message);
            return type == MessageType.Guidance || type == MessageType.GuidancePlan;
        }

        /// <exception cref="WireException">Malformed, there before, or numbers of a tool that is not valid.</exception>
        internal void Take(ReadOnlyMemory<byte> message)
        {
            if (!(MessageCodec.Decode(message, out var header) is Guidance guidance))
            {
                return; // the plan: nothing here draws it yet
            }

            foreach (var tool in guidance.Tools)
            {
                Check(tool);
            }

            ulong before = guard.Last;
            if (!guard.TryAdvance(header, out _, out _))
            {
                throw new MalformedMessageException(
                    $"guidance {header.Sequence} after {before}", "growing sequence numbers of one session");
            }

            Volatile.Write(ref newest, new Received(header, guidance));
        }

        /// <summary>One tool's guidance at a moment of display; without it the reason.</summary>
        internal bool TryRead(string tool, long displayNs, ServerFacts facts, out ToolGuidance? guidance, out string reason)
        {
            guidance = null;
            var received = Volatile.Read(ref newest);
            if (received == null)
            {
                reason = facts.Obstacle.Length > 0 ? facts.Obstacle : NoGuidance;
                return false;
            }

            reason = WhyNot(received.Header, displayNs, facts);
            if (reason.Length > 0)
            {
                return false;
            }

            foreach (var each in received.Guidance.Tools)
            {
                if (string.Equals(each.Tool, tool, StringComparison.Ordinal))
                {
                    guidance = each.Validity == Validity.Valid ? each : null;
                    reason = each.Reason;
                    return guidance != null;
                }
            }

            reason = "the server does not guide this tool";
            return false;
        }

        private static string WhyNot(in MessageHeader header, long displayNs, ServerFacts facts)
        {
            if (facts.Obstacle.Length > 0)
            {
                return facts.Obstacle;
            }

            if (!facts.Fits(header))
            {
                return NotWelcomed;
            }

            if (facts.IsFromFuture(header.CaptureNs, displayNs))
            {
                return Future;
            }

            long ageNs = facts.AgeNs(header.CaptureNs, displayNs);
            return facts.Ages.Judge(ageNs) == Validity.Valid ? "" : AgeWords.Of(ageNs);
        }

        private static void Check(ToolGuidance tool)
        {
            bool hasNumbers = tool.LateralMm.HasValue || tool.DepthMm.HasValue || tool.RemainingMm.HasValue
                || tool.AngleRad.HasValue || tool.EntryLateralMm.HasValue || tool.ErrorMm.HasValue
                || tool.ScrewGrade.HasValue || tool.ScrewBreachMm.HasValue || tool.Risks.Count > 0
                || tool.Trajectory.Length > 0;
            bool isValid = tool.Validity == Validity.Valid;
            if ((!isValid && hasNumbers) || (isValid && tool.Reason.Length > 0))
            {
                throw new MalformedMessageException(
                    $"guidance of '{tool.Tool}', {tool.Validity.Word()}, with {(hasNumbers ? "numbers" : "a reason")}",
                    "numbers if it is valid, a reason if it is not");
            }
        }

        private sealed class Received
        {
            internal Received(in MessageHeader header, Guidance guidance)
            {
                Header = header;
                Guidance = guidance;
            }

            internal MessageHeader Header { get; }

            internal Guidance Guidance { get; }
        }
    }
}
