#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Sequence numbers grow within a session; a session that was replaced does not come back.</summary>
    internal sealed class SequenceGuard
    {
        private const int Remembered = 8;
        private readonly SessionId[] retired = new SessionId[Remembered];
        private int retiredCount;

        internal SessionId SessionId { get; private set; }

        internal ulong Last { get; private set; }

        internal ulong First { get; private set; }

        /// <summary>Runs of the server seen.</summary>
        internal int Sessions { get; private set; }

        /// <summary>True if the message is newer than all before it.</summary>
        /// <param name="header">Of the message.</param>
        /// <param name="passedOver">Sequence numbers between the last one and this one.</param>
        /// <param name="isNewSession">It is the first of its session.</param>
        internal bool TryAdvance(in MessageHeader header, out ulong passedOver, out bool isNewSession)
        {
            passedOver = 0;
            isNewSession = Sessions == 0 || header.SessionId != SessionId;
            if (!isNewSession)
            {
                if (header.Sequence <= Last)
                {
                    return false;
                }

                passedOver = header.Sequence - Last - 1;
                Last = header.Sequence;
                return true;
            }

            if (IsRetired(header.SessionId))
            {
                return false;
            }

            if (Sessions > 0)
            {
                retired[retiredCount++ % Remembered] = SessionId;
            }

            SessionId = header.SessionId;
            First = Last = header.Sequence;
            Sessions++;
            return true;
        }

        private bool IsRetired(SessionId session)
        {
            for (int index = 0; index < Remembered && index < retiredCount; index++)
            {
                if (retired[index] == session)
                {
                    return true;
                }
            }

            return false;
        }
    }
}
