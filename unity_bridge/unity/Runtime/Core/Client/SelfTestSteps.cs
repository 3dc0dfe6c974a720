#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The self-test at connect, step by step: asked for, placed, reported, judged. Each step is taken again until the
    /// server has answered. Belongs to the control thread, but for TryTake.
    /// </summary>
    internal sealed class SelfTestSteps
    {
        private readonly MessageSender sender;
        private readonly IClock clock;
        private readonly BufferPool pool;
        private readonly bool placedByApplication;
        private SelfTest? test;
        private SelfTest? handedOut;
        private long? sentNs;
        private SelfTestStatus status;

        internal SelfTestSteps(MessageSender sender, IClock clock, BufferPool pool, bool placedByApplication)
        {
            this.sender = sender;
            this.clock = clock;
            this.pool = pool;
            this.placedByApplication = placedByApplication;
        }

        internal SelfTestStatus Status => status;

        /// <summary>Why it failed; empty unless it did.</summary>
        internal string Reasons { get; private set; } = "";

        /// <summary>The server has found this client to place things rightly, or does not test.</summary>
        internal bool MayShow => status == SelfTestStatus.NotNeeded || status == SelfTestStatus.Passed;

        /// <summary>What the server admits this client to the poses by; null if it does not, or asks for none.</summary>
        internal byte[]? PoseToken { get; private set; }

        /// <summary>Why nothing may be shown.</summary>
        internal string Words { get; private set; } = "the self-test is under way";

        /// <summary>The application's thread: the test to be placed, once.</summary>
        internal bool TryTake(out SelfTest taken)
        {
            taken = Interlocked.Exchange(ref handedOut, null)!;
            return taken != null;
        }

        /// <summary>After each Welcome that does not say 'passed' there is a test.</summary>
        internal void Begin(Welcome welcome)
        {
            Drop();
            Keep(welcome.PoseToken);
            switch (welcome.SelfTest)
            {
                case null:
                    status = SelfTestStatus.NotNeeded;
                    break;
                case SelfTestState.Passed:
                    status = SelfTestStatus.Passed;
                    break;
                default:
                    status = SelfTestStatus.UnderWay;
                    Words = "the self-test is under way";
                    break;
            }
        }

        /// <summary>Asks, or reports, until there is an answer.</summary>
        internal void Tick()
        {
            long nowNs = clock.NowNs;
            bool isDue = !sentNs.HasValue || nowNs - sentNs.Value > ControlLink.RetryNs;
            if (status != SelfTestStatus.UnderWay || !isDue || (test != null && !test.IsSent))
            {
                return;
            }

            bool isTaken = test == null ? sender.TrySend(new SelfTestRequest()) : sender.TrySend(test.Report);
            sentNs = isTaken ? nowNs : sentNs;
        }

        /// <exception cref="WireException">A part of it that is malformed.</exception>
        internal void Take(SelfTestTask task)
        {
            if (status != SelfTestStatus.UnderWay || test != null)
            {
                return; // asked for twice
            }

            test = SelfTest.Of(task, pool);
            sentNs = null;
            if (placedByApplication)
            {
                Volatile.Write(ref handedOut, test);
            }
            else
            {
                test.PlaceByArithmetic();
                test.Send();
            }
        }

        internal void Take(SelfTestVerdict verdict)
        {
            if (test == null || verdict.Challenge != test.Report.Challenge || status != SelfTestStatus.UnderWay)
            {
                return;
            }

            Drop();
            Keep(verdict.PoseToken);
            if (verdict.State == SelfTestState.Passed)
            {
                status = SelfTestStatus.Passed;
                Reasons = "";
                return;
            }

            status = SelfTestStatus.Failed;
            Reasons = string.Join("; ", verdict.Reasons);
            Words = $"this client places things wrongly: {Reasons}";
        }

        /// <summary>A refusal while the test is under way: begin it again, after the usual wait.</summary>
        internal void Take(Error error)
        {
            if (status == SelfTestStatus.UnderWay && test != null && test.IsSent)
            {
                Drop();
                sentNs = clock.NowNs;
            }
        }

        /// <summary>The same bytes stay the same object: nobody subscribes anew for them.</summary>
        private void Keep(ReadOnlyMemory<byte>? token)
        {
            var given = token.GetValueOrDefault();
            bool isSame = PoseToken != null && given.Span.SequenceEqual(PoseToken);
            PoseToken = isSame ? PoseToken : given.IsEmpty ? null : given.ToArray();
        }

        private void Drop()
        {
            test?.Mesh.Release();
            test = null;
            sentNs = null;
            Volatile.Write(ref handedOut, null);
        }
    }
}
