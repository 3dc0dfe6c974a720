#nullable enable
using System;
using System.Collections.Generic;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    /// <summary>Hands out sockets without a network.</summary>
    internal sealed class FakeTransport : ITransport
    {
        internal Dictionary<string, FakeSocket> Sockets { get; } = new Dictionary<string, FakeSocket>();

        public IMessageSocket Subscribe(string endpoint, SocketSettings settings) => Make(endpoint);

        public IMessageSocket Deal(string endpoint, SocketSettings settings) => Make(endpoint);

        private FakeSocket Make(string endpoint) => Sockets[endpoint] = new FakeSocket();
    }

    /// <summary>A socket without a network: what is sent lies here, what is to come is put in.</summary>
    internal sealed class FakeSocket : IMessageSocket
    {
        private readonly Queue<byte[]> incoming = new Queue<byte[]>();

        internal Queue<byte[]> Sent { get; } = new Queue<byte[]>();

        internal bool IsClosed { get; private set; }

        public SocketState State { get; internal set; } = SocketState.Connected;

        public string Reason { get; internal set; } = "";

        public int Reconnections { get; internal set; }

        public bool Poll(int timeoutMilliseconds)
        {
            if (timeoutMilliseconds > 0 && incoming.Count == 0)
            {
                Thread.Sleep(1); // of a thread of its own
            }

            return incoming.Count > 0;
        }

        public bool TrySend(ReadOnlySpan<byte> message)
        {
            bool isOpen = State == SocketState.Connected;
            if (isOpen)
            {
                Sent.Enqueue(message.ToArray());
            }

            return isOpen;
        }

        public bool TryReceive(out ReadOnlyMemory<byte> message)
        {
            bool isThere = incoming.Count > 0;
            message = isThere ? incoming.Dequeue() : default;
            return isThere;
        }

        /// <summary>What was subscribed to, oldest first.</summary>
        internal List<byte[]> Topics { get; } = new List<byte[]>();

        public void Subscribe(byte[] topic) => Topics.Add(topic);

        public void Wake()
        {
        }

        public void Dispose()
        {
            IsClosed = true;
            State = SocketState.Closed;
        }

        /// <summary>Why the link was given up, each time.</summary>
        internal List<string> GivenUp { get; } = new List<string>();

        public void Reconnect(string why)
        {
            GivenUp.Add(why);
            Reconnect();
        }

        internal void Put(byte[] message) => incoming.Enqueue(message);

        /// <summary>Everything sent since the last call, decoded.</summary>
        internal List<IMessage> TakeSent()
        {
            var messages = new List<IMessage>();
            while (Sent.Count > 0)
            {
                messages.Add(MessageCodec.Decode(Sent.Dequeue(), out _));
            }

            return messages;
        }

        /// <summary>The link breaks and stands again: what was under way is gone.</summary>
        internal void Reconnect()
        {
            incoming.Clear();
            Sent.Clear();
            Reconnections++;
        }
    }
}
