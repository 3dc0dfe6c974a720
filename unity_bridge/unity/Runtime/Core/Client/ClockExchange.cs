#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Server's time = client's time + OffsetNs, wrong by ErrorNs at most at the newest exchange.</summary>
    internal readonly struct ClockOffset
    {
        internal ClockOffset(long offsetNs, long errorNs)
        {
            OffsetNs = offsetNs;
            ErrorNs = errorNs;
        }

        internal long OffsetNs { get; }

        /// <summary>
        /// Holds whatever the split of a round trip between the two directions. From the newest exchange on it grows
        /// by ClockExchange.DriftPpm: 50 us a second.
        /// </summary>
        internal long ErrorNs { get; }
    }

    /// <summary>
    /// What time is it over there: keeps the last exchanges of four timestamps and answers with the offsets that none
    /// of them excludes. No message arrives before it was sent, so each exchange bounds the offset from both sides:
    /// t3 - t4 &lt;= offset &lt;= t2 - t1. What an old one says is widened by how far the clocks may have run apart since
    /// (Marzullo and Owicki 1983).
    /// </summary>
    internal sealed class ClockExchange
    {
        internal const int Window = 64;

        /// <summary>By how much two clocks may run apart: crystals are good for some 20 parts in a million each.</summary>
        internal const int DriftPpm = 50;

        private readonly Exchange[] exchanges = new Exchange[Window];
        private long taken;

        /// <summary>Exchanges in the window.</summary>
        internal int Count => (int)Math.Min(taken, Window);

        /// <summary>Takes in one exchange: sent here, received there, sent there, received here.</summary>
        /// <exception cref="MalformedMessageException">
        /// The server answered before it was asked, or took longer than the round trip.
        /// </exception>
        internal void Add(long clientSentNs, long serverReceivedNs, long serverSentNs, long clientReceivedNs)
        {
            long atServer = serverSentNs - serverReceivedNs;
            long roundTrip = clientReceivedNs - clientSentNs - atServer;
            if (atServer < 0 || roundTrip < 0)
            {
                throw new MalformedMessageException(
                    $"a clock reply with {atServer} ns at the server and {roundTrip} ns under way", "neither negative");
            }

            exchanges[taken % Window] = new Exchange
            {
                LowestNs = serverSentNs - clientReceivedNs,
                HighestNs = serverReceivedNs - clientSentNs,
                SentNs = clientSentNs,
                ReceivedNs = clientReceivedNs,
            };
            taken++;
        }

        /// <summary>The middle of what is possible at the newest exchange; false before the first.</summary>
        internal bool TryBest(out ClockOffset best)
        {
            best = default;
            if (taken == 0)
            {
                return false;
            }

            Exchange newest = exchanges[(taken - 1) % Window];
            long underWay = newest.ReceivedNs - newest.SentNs; // wider than what drift does to it
            long low = newest.LowestNs - underWay;
            long high = newest.HighestNs + underWay;
            for (int age = 0; age < Count; age++)
            {
                Exchange each = exchanges[(taken - 1 - age) % Window];
                long apart = (newest.ReceivedNs - each.SentNs) * DriftPpm / 1_000_000;
                long lower = Math.Max(low, each.LowestNs - apart);
                long higher = Math.Min(high, each.HighestNs + apart);
                if (lower > higher)
                {
                    break; // a clock was set, or runs away: what is older is about another one
                }

                low = lower;
                high = higher;
            }

            // Halved rounding down, as Python does, so that both find one number.
            best = new ClockOffset((low + high) >> 1, ((high - low) / 2) + 1);
            return true;
        }

        /// <summary>Forgets everything: the server, and with it perhaps its clock, is another one now.</summary>
        internal void Clear() => taken = 0;

        private struct Exchange
        {
            internal long LowestNs;
            internal long HighestNs;
            internal long SentNs;
            internal long ReceivedNs;
        }
    }
}
