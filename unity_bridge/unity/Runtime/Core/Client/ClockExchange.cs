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
    /// (Marzullo and Owicki 1983). Within these bounds the answer is the mean of the faster half of the exchanges, each
    /// by the middle of its round trip: delays that jitter alike average out, what a queue held up takes no part. Where that
    /// mean is excluded, the middle of what is possible is the answer.
    /// </summary>
    internal sealed class ClockExchange
    {
        internal const int Window = 64;

        /// <summary>By how much two clocks may run apart: crystals are good for some 20 parts in a million each.</summary>
        internal const int DriftPpm = 50;

        private readonly Exchange[] exchanges = new Exchange[Window];
        private readonly long[] roundTrips = new long[Window];
        private ClockOffset offset;
        private long taken;

        /// <summary>When the newest exchange ended, on the client's clock; 0 before the first.</summary>
        internal long NewestNs => taken == 0 ? 0 : exchanges[(taken - 1) % Window].ReceivedNs;

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
            offset = Best();
        }

        /// <summary>The offset at the newest exchange; false before the first.</summary>
        internal bool TryBest(out ClockOffset best)
        {
            best = taken == 0 ? default : offset;
            return taken != 0;
        }

        /// <summary>Forgets everything: the server, and with it perhaps its clock, is another one now.</summary>
        internal void Clear() => taken = 0;

        private ClockOffset Best()
        {
            Exchange newest = exchanges[(taken - 1) % Window];
            long underWay = newest.ReceivedNs - newest.SentNs; // wider than what drift does to it
            long low = newest.LowestNs - underWay;
            long high = newest.HighestNs + underWay;
            int agreeing = 0;
            for (; agreeing < Count; agreeing++)
            {
                Exchange each = exchanges[(taken - 1 - agreeing) % Window];
                long apart = (newest.ReceivedNs - each.SentNs) * DriftPpm / 1_000_000;
                long lower = Math.Max(low, each.LowestNs - apart);
                long higher = Math.Min(high, each.HighestNs + apart);
                if (lower > higher)
                {
                    break; // a clock was set, or runs away: what is older is about another one
                }

                low = lower;
                high = higher;
                roundTrips[agreeing] = each.HighestNs - each.LowestNs;
            }

            long mean = MeanOfTheFasterHalf(agreeing);
            long chosen = low <= mean && mean <= high ? mean : (low + high) >> 1;
            return new ClockOffset(chosen, Math.Max(high - chosen, chosen - low) + 1);
        }

        private long MeanOfTheFasterHalf(int agreeing)
        {
            Array.Sort(roundTrips, 0, agreeing);
            long longest = roundTrips[(agreeing - 1) / 2];
            // About the newest one's middle: the sum of offsets themselves could be too large.
            long about = Middle(exchanges[(taken - 1) % Window]);
            long sum = 0;
            long count = 0;
            for (int age = 0; age < agreeing; age++)
            {
                Exchange each = exchanges[(taken - 1 - age) % Window];
                if (each.HighestNs - each.LowestNs <= longest)
                {
                    sum += Middle(each) - about;
                    count++;
                }
            }

            // Divided rounding down, as Python does, so that both find one number.
            long whole = sum / count;
            return about + (sum % count < 0 ? whole - 1 : whole);
        }

        private static long Middle(in Exchange exchange) => (exchange.LowestNs + exchange.HighestNs) >> 1;

        private struct Exchange
        {
            internal long LowestNs;
            internal long HighestNs;
            internal long SentNs;
            internal long ReceivedNs;
        }
    }
}
