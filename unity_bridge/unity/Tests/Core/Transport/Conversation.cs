#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Tests
{
    /// <summary>One ZmtpPeer and the bytes to and from it, without a network.</summary>
    internal sealed class Conversation
    {
        internal readonly ReceiveBuffer Received = new ReceiveBuffer();
        internal readonly SendQueue Queue;
        internal readonly ZmtpPeer Peer;

        internal Conversation(SocketType type, CurveKeys? keys = null, int maxMessage = 1000, int maxQueued = 10_000)
        {
            Queue = new SendQueue(4, maxQueued);
            IMechanism mechanism = keys == null ? new NullMechanism(type) : new CurveMechanism(keys, type);
            Peer = new ZmtpPeer(type, mechanism, Received, Queue, maxMessage);
        }

        /// <summary>Gives the peer bytes, in pieces, and returns the messages that it made of them.</summary>
        internal List<byte[]> Hear(ReadOnlySpan<byte> bytes, int piece = int.MaxValue)
        {
            var messages = new List<byte[]>();
            while (true)
            {
                while (Peer.Advance())
                {
                    messages.Add(Peer.Take().ToArray());
                }

                if (bytes.Length == 0)
                {
                    return messages;
                }

                var room = Received.Room();
                int count = Math.Min(Math.Min(piece, bytes.Length), room.Count);
                bytes.Slice(0, count).CopyTo(room);
                Received.Filled(count);
                bytes = bytes.Slice(count);
            }
        }

        /// <summary>What the peer says since the last time.</summary>
        internal byte[] Said()
        {
            var waiting = Queue.Waiting.AsSpan().ToArray();
            Queue.Sent(waiting.Length);
            return waiting;
        }

        /// <summary>Brings a peer without keys to where messages come.</summary>
        internal Conversation Open(byte minor = 1, string server = "PUB")
        {
            Hear(WireParts.Greet("NULL", 3, minor));
            Hear(WireParts.Ready(server));
            return this;
        }
    }
}
