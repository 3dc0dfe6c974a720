#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The client's end of the ultrasound socket, of contours or of images: one request under way, answered by the newest
    /// frame. Connects where the server has live ultrasound, asks for nothing before this client may show anything. Step
    /// belongs to a thread of its own; Allow to the control thread.
    /// </summary>
    internal sealed class UltrasoundLink : IDisposable
    {
        /// <summary>More than any compressed image.</summary>
        internal const int MaxMessageBytes = 1 << 23;

        /// <summary>Without an answer for so long the request is made anew: the server may have forgotten it.</summary>
        internal const long AgainNs = 1_000_000_000;

        /// <summary>And without one for so long the link is taken to be broken.</summary>
        internal const long SilenceNs = 3_000_000_000;

        private readonly ITransport transport;
        private readonly IClock clock;
        private readonly SocketSettings settings;
        private readonly UltrasoundDecoder decoder = new UltrasoundDecoder();
        private readonly UltrasoundRequest request = new UltrasoundRequest();
        private readonly Silence silence;
        private readonly object gate = new object();
        private Grant grant = Grant.None;
        private string endpoint = "";
        private IMessageSocket? socket;
        private MessageSender? sender;
        private int reconnections;
        private long? askedNs;
        private long newestNs = long.MinValue;
        private ulong newestNumber;
        private SessionId session;
        private UltrasoundCounts counts = new UltrasoundCounts { LastRefusal = "" };

        internal UltrasoundLink(ITransport transport, IClock clock, SocketSettings settings, bool wantsImages)
        {
            this.transport = transport;
            this.clock = clock;
            this.settings = settings;
            request.WantsImage = wantsImages;
            silence = new Silence(clock.NowNs);
        }

        internal UltrasoundInbox Inbox { get; } = new UltrasoundInbox();

        internal LatencyWindow Latencies { get; } = new LatencyWindow();

        internal UltrasoundCounts Counts
        {
            get
            {
                lock (gate)
                {
                    return counts;
                }
            }
        }

        /// <summary>What the control thread knows: where to ask, and by what the server admits this client.</summary>
        /// <param name="where">Empty: ask nowhere.</param>
        /// <param name="token">Null at a server without self-test.</param>
        internal void Allow(string where, byte[]? token)
        {
            var now = Volatile.Read(ref grant);
            if (now.Endpoint != where || !ReferenceEquals(now.Token, token))
            {
                Volatile.Write(ref grant, new Grant(where, token));
            }
        }

        /// <summary>Waits at most so long, takes in what is there, asks for the next.</summary>
        internal void Step(int timeoutMs)
        {
            var now = Volatile.Read(ref grant);
            if (now.Endpoint != endpoint)
            {
                Connect(now.Endpoint);
            }

            if (socket is null)
            {
                Thread.Sleep(timeoutMs);
                return;
            }

            bool hasMessage = socket.Poll(timeoutMs);
            while (hasMessage && socket.TryReceive(out var message))
            {
                silence.Broken(clock.NowNs);
                Take(message);
            }

            Ask(now.Token);
        }

        public void Dispose()
        {
            sender?.TrySend(new Goodbye());
            socket?.Dispose();
        }

        private void Connect(string where)
        {
            Dispose();
            endpoint = where;
            socket = where.Length > 0 ? transport.Deal(where, settings) : null;
            sender = socket is null ? null : new MessageSender(socket, clock);
            reconnections = 0;
            askedNs = null;
            newestNumber = 0;
        }

        private void Ask(byte[]? token)
        {
            long nowNs = clock.NowNs;
            if (socket!.Reconnections != reconnections)
            {
                reconnections = socket.Reconnections;
                askedNs = null;
            }

            if (socket.State != SocketState.Connected)
            {
                silence.Excused(nowNs);
            }
            else if (silence.IsTooLong(SilenceNs, nowNs))
            {
                socket.Reconnect("no ultrasound comes though the server has it: connecting anew");
                return;
            }

            bool isLate = askedNs.HasValue && nowNs - askedNs.Value > AgainNs;
            if (askedNs.HasValue && !isLate)
            {
                return;
            }

            // A server that has started its ultrasound anew counts from 1 again: ask for whatever it has.
            request.NewerThan = isLate ? 0 : newestNumber;
            request.Token = token;
            if (sender!.TrySend(request))
            {
                askedNs = nowNs;
            }
        }

        private void Take(ReadOnlyMemory<byte> message)
        {
            try
            {
                if (Envelope.TypeOf(message.Span) == MessageType.UltrasoundFrame)
                {
                    askedNs = null;
                    var data = Inbox.Lend();
                    decoder.Decode(message.Span, data);
                    Count(data);
                }
                else if (MessageCodec.Decode(message, out _) is Error error)
                {
                    Refuse(error.InWords()); // and asks again after a while
                }
            }
            catch (WireException error)
            {
                Refuse(error.Message);
            }
        }

        private void Count(UltrasoundData data)
        {
            bool isSameSession = session == data.Header.SessionId;
            if (isSameSession && data.ShowsNs <= newestNs)
            {
                newestNumber = data.ShowsNs == newestNs ? data.Number : newestNumber;
                return; // what was there already: the answer to a request that was made anew
            }

            ulong passedOver = isSameSession && newestNumber > 0 && data.Number > newestNumber ? data.Number - newestNumber - 1 : 0;
            session = data.Header.SessionId;
            newestNs = data.ShowsNs;
            newestNumber = data.Number;
            Latencies.Add(clock.NowNs, data.ShowsNs);
            lock (gate)
            {
                counts.Received++;
                counts.PassedOver += passedOver;
            }

            Inbox.Publish();
        }

        private void Refuse(string why)
        {
            lock (gate)
            {
                counts.Refused++;
                counts.LastRefusal = why;
            }
        }

        /// <summary>Does not change: another takes its place.</summary>
        private sealed class Grant
        {
            internal static readonly Grant None = new Grant("", null);

            internal Grant(string endpoint, byte[]? token)
            {
                Endpoint = endpoint;
                Token = token;
            }

            internal string Endpoint { get; }

            internal byte[]? Token { get; }
        }
    }

    /// <summary>What came on one connection.</summary>
    public struct UltrasoundCounts
    {
        public ulong Received { get; internal set; }

        /// <summary>Frames that were overtaken before this client asked.</summary>
        public ulong PassedOver { get; internal set; }

        /// <summary>Malformed, or refused by the server.</summary>
        public ulong Refused { get; internal set; }

        /// <summary>Why the last one was; empty if none.</summary>
        public string LastRefusal { get; internal set; }

        /// <summary>The instant shown to decoded, of the last few thousand; NaN until the clocks were compared.</summary>
        public double LatencyP50Ms { get; internal set; }

        public double LatencyP99Ms { get; internal set; }
    }
}
