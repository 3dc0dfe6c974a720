#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What to do about an event of the server.</summary>
    internal enum EventPlace : byte
    {
        /// <summary>It is the next one: take it in and confirm it.</summary>
        Next,

        /// <summary>It is here already: confirm again.</summary>
        Repeated,

        /// <summary>An earlier one is missing and will come: wait.</summary>
        Early,

        /// <summary>What is missing will not come any more: say Hello, whose Welcome is the full state.</summary>
        Missed,
    }

    /// <summary>Takes the server's events in order, each once.</summary>
    internal sealed class EventInbox
    {
        /// <summary>The last event taken in, of the session.</summary>
        internal ulong Last { get; private set; }

        internal SessionId SessionId { get; private set; }

        /// <summary>The Welcome of a session that this client joins: its state holds all events up to this one.</summary>
        internal void Join(SessionId session, ulong lastEvent)
        {
            if (session != SessionId)
            {
                SessionId = session;
                Last = lastEvent;
            }
        }

        /// <summary>Where an event belongs; Next moves on to it.</summary>
        internal EventPlace Place(SessionId session, ServerEvent happened)
        {
            if (session != SessionId)
            {
                return EventPlace.Early; // of a run of the server that has not welcomed us
            }

            if (happened.Number <= Last)
            {
                return EventPlace.Repeated;
            }

            if (happened.Number == Last + 1)
            {
                Last = happened.Number;
                return EventPlace.Next;
            }

            if (happened.OldestKept > Last + 1 && happened.OldestKept <= happened.Number)
            {
                Last = happened.OldestKept - 1;
                return EventPlace.Missed;
            }

            return EventPlace.Early;
        }
    }
}
