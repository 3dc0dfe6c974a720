#nullable enable
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>Puts the header before messages: who sends, when, and under which session.</summary>
    internal sealed class MessageSender
    {
        private readonly IMessageSocket socket;
        private readonly IClock clock;
        private readonly ulong clockKey;
        private readonly WireWriter writer = new WireWriter();
        private ulong sequence;

        internal MessageSender(IMessageSocket socket, IClock clock)
        {
            this.socket = socket;
            this.clock = clock;
            clockKey = ClockName.Key(clock.ClockId);
        }

        /// <summary>The server's, once it has welcomed us; zeros before.</summary>
        internal SessionId SessionId { get; set; }

        /// <summary>Of the message sent last.</summary>
        internal ulong Sequence => sequence;

        /// <summary>False if there is no connection, or no room: the message was not taken.</summary>
        internal bool TrySend(IMessage message) => TrySend(message, clock.NowNs);

        internal bool TrySend(IMessage message, long nowNs)
        {
            var header = new MessageHeader
            {
                Sequence = sequence + 1, CaptureNs = nowNs, Clock = clockKey, SessionId = SessionId,
            };
            MessageCodec.Encode(message, header, writer);
            bool isTaken = socket.TrySend(writer.Written.Span);
            sequence += isTaken ? 1UL : 0UL;
            return isTaken;
        }
    }

    /// <summary>Refusals of the server, for people.</summary>
    internal static class ErrorWords
    {
        internal static string InWords(this Error error)
        {
            return $"the server refuses ({error.Code}): got {error.Came}; expected {error.Allowed}. Fix: {error.Action}.";
        }
    }
}
