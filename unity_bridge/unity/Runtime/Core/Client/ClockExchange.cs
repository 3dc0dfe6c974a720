#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Server's time = client's time + OffsetNs, wrong by ErrorNs at most.</summary>
    internal readonly struct ClockOffset
    {
        internal ClockOffset(long offsetNs, long errorNs)
        {
            OffsetNs = offsetNs;
            ErrorNs = errorNs;
        }

        internal long OffsetNs { get; }

        /// <summary>Half the round trip: the bound holds whatever the split between the two directions.</summary>
        internal long ErrorNs { get; }
    }

    /// <summary>
    /// What time is it over there: keeps the last exchanges of four timestamps and answers with the one of the shortest
    /// round trip, as NTP's clock filter does (RFC 5905, section 10).
    /// </summary>
    internal sealed class ClockExchange
    {
        internal const int Window = 32;
        private readonly ClockOffset[] offsets = new ClockOffset[Window];
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

            // The sum of two differences is halved rounding down, as Python does, so that both find one number.
            long sum = (serverReceivedNs - clientSentNs) + (serverSentNs - clientReceivedNs);
            offsets[taken % Window] = new ClockOffset(sum >> 1, (roundTrip / 2) + 1);
            taken++;
        }

        /// <summary>False before the first exchange.</summary>
        internal bool TryBest(out ClockOffset best)
        {
            best = Count > 0 ? offsets[0] : default;
            for (int index = 1; index < Count; index++)
            {
                if (offsets[index].ErrorNs < best.ErrorNs)
                {
                    best = offsets[index];
                }
            }

            return Count > 0;
        }

        /// <summary>Forgets everything: the server, and with it perhaps its clock, is another one now.</summary>
        internal void Clear() => taken = 0;
    }
}
