#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The newest guidance with its plan, and what a display may show of them. Take belongs to the pose thread, the readings
    /// to the display's. Fails closed: without validity, or too old, there are no numbers and no plan but a reason.
    /// </summary>
    internal sealed class GuidanceInbox
    {
        private const string NoGuidance = "no guidance from the server: the case has no plan";
        private const string NotWelcomed = "the server has started anew: waiting for its welcome";
        private const string Future = "a time stamp of the future: the clocks disagree";

        /// <summary>The plan comes once a second: what has not been told anew three times over may hold no more.</summary>
        private const long PlanLimitNs = 3_000_000_000;

        private readonly SequenceGuard guard = new SequenceGuard();
        private readonly SequenceGuard planGuard = new SequenceGuard();
        private Received<Guidance>? newest;
        private Received<GuidancePlan>? plan;

        /// <summary>Whether the header says that this is guidance or its plan; nothing else is checked.</summary>
        internal static bool IsGuidance(ReadOnlySpan<byte> message)
        {
            var type = Envelope.TypeOf(message);
            return type == MessageType.Guidance || type == MessageType.GuidancePlan;
        }

        /// <exception cref="WireException">Malformed, there before, or numbers of a tool that is not valid.</exception>
        internal void Take(ReadOnlyMemory<byte> message)
        {
            var what = MessageCodec.Decode(message, out var header);
            if (what is GuidancePlan told)
            {
                Advance(planGuard, header, "plan");
                Volatile.Write(ref plan, new Received<GuidancePlan>(header, told));
            }
            else if (what is Guidance guidance)
            {
                foreach (var tool in guidance.Tools)
                {
                    Check(tool);
                }

                Advance(guard, header, "guidance");
                Volatile.Write(ref newest, new Received<Guidance>(header, guidance));
            }
        }

        /// <summary>The plan at a moment of display; without one that holds now the reason.</summary>
        internal bool TryReadPlan(long displayNs, ServerFacts facts, out GuidancePlan? told, out string reason)
        {
            told = null;
            var received = Volatile.Read(ref plan);
            if (received == null)
            {
                reason = facts.Obstacle.Length > 0 ? facts.Obstacle : NoGuidance;
                return false;
            }

            reason = WhyNot(received.Header, displayNs, facts);
            if (reason.Length == 0)
            {
                long ageNs = facts.AgeNs(received.Header.CaptureNs, displayNs);
                reason = ageNs > PlanLimitNs ? AgeWords.OfPlan(ageNs) : received.Message.Problem;
            }

            told = reason.Length == 0 ? received.Message : null;
            return told != null;
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
            if (reason.Length == 0)
            {
                long ageNs = facts.AgeNs(received.Header.CaptureNs, displayNs);
                reason = facts.Ages.Judge(ageNs) == Validity.Valid ? "" : AgeWords.Of(ageNs);
            }

            if (reason.Length > 0)
            {
                return false;
            }

            foreach (var each in received.Message.Tools)
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

            return facts.IsFromFuture(header.CaptureNs, displayNs) ? Future : "";
        }

        private static void Advance(SequenceGuard guard, in MessageHeader header, string what)
        {
            ulong before = guard.Last;
            if (!guard.TryAdvance(header, out _, out _))
            {
                throw new MalformedMessageException(
                    $"{what} {header.Sequence} after {before}", "growing sequence numbers of one session");
            }
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

        private sealed class Received<T>
        {
            internal Received(in MessageHeader header, T message)
            {
                Header = header;
                Message = message;
            }

            internal MessageHeader Header { get; }

            internal T Message { get; }
        }
    }
}
