#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What persons did, until the server has answered for good: each is sent again and again under its number, over
    /// broken links and restarts of the server, and is done once. Not for several threads: EventQueue has the lock.
    /// </summary>
    internal sealed class EventOutbox
    {
        internal const long RetryNs = 500_000_000;
        private readonly List<Waiting> waiting = new List<Waiting>();
        private ulong lastNumber;

        /// <summary>Drawn anew with every start of the program.</summary>
        internal string Stream { get; } = Guid.NewGuid().ToString();

        internal int Count => waiting.Count;

        internal ulong Add(ClientEvent happened, long nowNs)
        {
            happened.Stream = Stream;
            happened.Number = ++lastNumber;
            waiting.Add(new Waiting(happened, nowNs));
            return lastNumber;
        }

        /// <summary>The next event that is to be sent now, in the order of their numbers; false if none is.</summary>
        internal bool TryNextDue(long nowNs, SessionId session, ServerFacts facts, out ClientEvent due)
        {
            foreach (var each in waiting)
            {
                if (each.SentNs.HasValue && nowNs - each.SentNs.Value < RetryNs)
                {
                    continue;
                }

                if (!each.SentNs.HasValue)
                {
                    // To whom it went first, and when it happened on that server's clock: the same from now on.
                    each.Event.FirstSession = session.ToString();
                    each.Event.HappenedNs = facts.HasClock ? facts.ToServerNs(each.HappenedNs) : (long?)null;
                }

                each.SentNs = nowNs;
                due = each.Event;
                return true;
            }

            due = null!;
            return false;
        }

        /// <summary>Whatever was under way may be lost: all goes again at once.</summary>
        internal void Resend()
        {
            foreach (var each in waiting)
            {
                each.SentNs = each.SentNs.HasValue ? long.MinValue / 2 : (long?)null;
            }
        }

        /// <summary>True if the answer is the final one of an event that waits for it.</summary>
        internal bool TryFinish(EventAnswer answer)
        {
            if (answer.Stream != Stream || answer.Outcome == EventOutcome.Pending)
            {
                return false;
            }

            return waiting.RemoveAll(each => each.Event.Number == answer.Number) > 0;
        }

        private sealed class Waiting
        {
            internal readonly ClientEvent Event;
            internal readonly long HappenedNs;
            internal long? SentNs;

            internal Waiting(ClientEvent happened, long happenedNs)
            {
                Event = happened;
                HappenedNs = happenedNs;
            }
        }
    }
}
