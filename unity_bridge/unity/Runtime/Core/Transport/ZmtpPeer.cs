#nullable enable
using System;

namespace SurgNav.Core.Transport
{
    /// <summary>
    /// One connection's conversation, from the greeting to the messages, on bytes alone: it knows no sockets and no time.
    /// </summary>
    internal sealed class ZmtpPeer : IDisposable
    {
        private const int MaxCommandBytes = 4096;

        private readonly SocketType type;
        private readonly IMechanism mechanism;
        private readonly ReceiveBuffer received;
        private readonly SendQueue queue;
        private readonly int maxMessageBytes;
        private int minor = -1;
        private bool greeted;
        private int messageOffset;
        private int messageBytes;
        private int toConsume;

        internal ZmtpPeer(
            SocketType type, IMechanism mechanism, ReceiveBuffer received, SendQueue queue, int maxMessageBytes)
        {
            this.type = type;
            this.mechanism = mechanism;
            this.received = received;
            this.queue = queue;
            this.maxMessageBytes = maxMessageBytes;
            Greet(0, Greeting.FirstPart);
        }

        /// <summary>Greeting and handshake are done.</summary>
        internal bool IsReady { get; private set; }

        /// <summary>Of a subscriber: what it subscribes to as soon as it may; empty for everything.</summary>
        internal byte[] Topic { get; set; } = Array.Empty<byte>();

        /// <summary>A message lies ready.</summary>
        internal bool HasMessage { get; private set; }

        /// <summary>The peer knows PING.</summary>
        internal bool KnowsHeartbeats => minor >= 1;

        internal string? HangUpReason => minor >= 0 && !IsReady ? mechanism.HangUpReason : null;

        /// <summary>Takes the message; it is valid until the next Advance.</summary>
        internal ReadOnlyMemory<byte> Take()
        {
            HasMessage = false;
            return received.Part(messageOffset, messageBytes);
        }

        /// <summary>
        /// Works through what was received up to the next message. False if more bytes are needed first.
        /// </summary>
        /// <exception cref="ZmtpFailure">The connection has to end.</exception>
        internal bool Advance()
        {
            Release();
            while (!HasMessage)
            {
                if (!(minor < 0 ? TakeGreeting() : TakeFrame()))
                {
                    return false;
                }
            }

            return true;
        }

        /// <summary>Appends a message; false if there is no room.</summary>
        internal bool TrySend(ReadOnlySpan<byte> message)
        {
            int body = message.Length + mechanism.Overhead;
            if (!queue.HasRoom(FrameHead.SizeFor(body) + body))
            {
                return false;
            }

            mechanism.Append(queue, message, false);
            queue.EndMessage();
            return true;
        }

        /// <summary>Subscribes to another topic too.</summary>
        internal void Subscribe(byte[] topic)
        {
            Topic = topic;
            if (IsReady)
            {
                Subscribe();
            }
        }

        /// <summary>Asks the peer for a sign of life.</summary>
        internal void Ping()
        {
            // No time to live: libzmq need not watch us, and its watching is what aborts (issue 3937).
            Span<byte> ping = stackalloc byte[Command.PingBytes];
            Command.Ping.CopyTo(ping);
            ping.Slice(Command.Ping.Length).Clear();
            AppendCommand(ping);
        }

        public void Dispose() => mechanism.Dispose();

        /// <summary>Lets go of the message that was handed out.</summary>
        private void Release()
        {
            if (!HasMessage)
            {
                received.Consume(toConsume);
                toConsume = 0;
            }
        }

        /// <summary>
        /// The rest of our greeting waits for the first part of theirs: libzmq hangs up on a mechanism that it does not want as
        /// soon as it reads of it, and would not tell its own.
        /// </summary>
        private bool TakeGreeting()
        {
            bool whole = Greeting.TryRead(received.Unread, mechanism.Name, out int revision);
            if (!greeted && received.Count >= Greeting.FirstPart)
            {
                greeted = true;
                Greet(Greeting.FirstPart, Greeting.Size);
            }

            if (whole)
            {
                minor = revision;
                received.Consume(Greeting.Size);
                mechanism.Begin(queue);
            }

            return whole;
        }

        private void Greet(int from, int to)
        {
            Span<byte> greeting = stackalloc byte[Greeting.Size];
            Greeting.Write(greeting, mechanism.Name);
            greeting.Slice(from, to - from).CopyTo(queue.Append(to - from));
        }

        private bool TakeFrame()
        {
            int limit = IsReady ? maxMessageBytes + mechanism.Overhead : MaxCommandBytes;
            if (!FrameHead.TryRead(received.Unread, limit, MaxCommandBytes, out var head)
                || received.Count < head.HeadBytes + head.BodyBytes)
            {
                return false;
            }

            var body = received.Unread.Slice(head.HeadBytes, head.BodyBytes);
            if (!IsReady)
            {
                Shake(body, head.IsCommand);
                received.Consume(head.HeadBytes + head.BodyBytes);
                return true;
            }

            bool command = head.IsCommand;
            mechanism.Open(body, ref command, out int offset);
            if (command)
            {
                Obey(body.Slice(offset));
                received.Consume(head.HeadBytes + head.BodyBytes);
                return true;
            }

            HasMessage = true;
            messageOffset = head.HeadBytes + offset;
            messageBytes = head.BodyBytes - offset;
            toConsume = head.HeadBytes + head.BodyBytes;
            return true;
        }

        private void Shake(Span<byte> body, bool command)
        {
            if (!command)
            {
                throw ZmtpFailure.Protocol("a message in the handshake", "commands");
            }

            IsReady = mechanism.Continue(body, queue);
            if (IsReady && type == SocketType.Subscriber)
            {
                Subscribe();
            }
        }

        private void Subscribe()
        {
            bool byCommand = minor >= 1;
            int head = byCommand ? Command.Subscribe.Length : 1;
            var subscription = new byte[head + Topic.Length];
            subscription[0] = 1;
            if (byCommand)
            {
                Command.Subscribe.CopyTo(subscription);
            }

            Topic.CopyTo(subscription, head);
            mechanism.Append(queue, subscription, byCommand);
        }

        /// <summary>A command in the midst of messages. Those that are not known are passed over.</summary>
        private void Obey(ReadOnlySpan<byte> body)
        {
            if (Command.Is(body, Command.Error, out var reason))
            {
                throw Command.Refusal(reason);
            }

            if (!Command.Is(body, Command.Ping, out var rest))
            {
                return;
            }

            // PING: two bytes of time to live, then at most 16 that PONG repeats.
            if (rest.Length < 2 || rest.Length > 2 + Command.MaxPingContextBytes)
            {
                throw ZmtpFailure.Protocol($"a PING of {body.Length} bytes", "7 to 23 bytes");
            }

            Span<byte> pong = stackalloc byte[Command.Pong.Length + rest.Length - 2];
            Command.Pong.CopyTo(pong);
            rest.Slice(2).CopyTo(pong.Slice(Command.Pong.Length));
            AppendCommand(pong);
        }

        /// <summary>Who lets nothing out but asks and asks gets no more answers than there is room for.</summary>
        private void AppendCommand(ReadOnlySpan<byte> command)
        {
            if (queue.HasControlRoom(FrameHead.MaxBytes + mechanism.Overhead + command.Length))
            {
                mechanism.Append(queue, command, true);
            }
        }
    }
}
