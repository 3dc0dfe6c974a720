#nullable enable
using System;
using System.Diagnostics;
using System.Threading;

namespace SurgNav.Core.Transport
{
    /// <summary>
    /// The socket that keeps a connection: connects, gives up in time, waits, tries again, and asks for signs of life. All
    /// calls hold one lock, which Dispose, from another thread, gets within a slice of a wait.
    /// </summary>
    internal sealed class ZmtpSocket : IMessageSocket
    {
        /// <summary>The longest wait that nothing from another thread can end.</summary>
        private const int SliceMs = 20;

        /// <summary>With something to send and no room in the system, look again this often.</summary>
        private const int SendSliceMs = 1;

        /// <summary>Reads of one step, and how long it may go on reading: a flood of commands must not hold up a Poll.</summary>
        private const int MaxReads = 64;
        private const int StepMs = 5;

        /// <summary>A connection that stood for so long was a good one: the next failure is the first.</summary>
        private const int SoundMs = 1000;

        private readonly object gate = new object();
        private readonly SocketSettings settings;
        private readonly SocketType type;
        private readonly Endpoint endpoint;
        private readonly Resolver resolver;
        private readonly Backoff backoff;
        private readonly ReceiveBuffer received = new ReceiveBuffer();
        private readonly SendQueue queue;
        private TcpLink? link;
        private ZmtpPeer? peer;
        private byte[] topic = Array.Empty<byte>();
        private Phase phase = Phase.Waiting;
        private long retryMs;
        private long deadlineMs;
        private long connectedMs;
        private long heardMs;
        private long pingedMs;
        private bool pinged;
        private bool refused;
        private int connections;
        private volatile SocketState state = SocketState.Connecting;
        private volatile string reason = "not tried yet";
        private volatile bool closing;
        private volatile bool woken;

        internal ZmtpSocket(Endpoint endpoint, SocketSettings settings, SocketType type)
        {
            this.settings = SettingsCheck.Copy(settings);
            this.endpoint = endpoint;
            this.type = type;
            resolver = new Resolver(endpoint.Host);
            backoff = new Backoff(settings.ReconnectMinMs, settings.ReconnectMaxMs, new Random(Guid.NewGuid().GetHashCode()));
            queue = new SendQueue(settings.MaxQueuedMessages, settings.MaxQueuedBytes);
        }

        private enum Phase : byte
        {
            Waiting,
            Resolving,
            Connecting,
            Talking,
        }

        public SocketState State => state;

        public string Reason => reason;

        public int Reconnections => Math.Max(0, Volatile.Read(ref connections) - 1);

        private static long NowMs => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1000);

        public bool Poll(int timeoutMilliseconds)
        {
            lock (gate)
            {
                long end = NowMs + Math.Max(0, timeoutMilliseconds);
                var before = state;
                while (!closing)
                {
                    long now = NowMs;
                    Step(now);
                    if (peer != null && peer.HasMessage)
                    {
                        return true;
                    }

                    if (woken || now >= end || state != before)
                    {
                        woken = false;
                        return false;
                    }

                    Wait((int)Math.Min(SliceMs, end - now), now);
                }

                return false;
            }
        }

        public bool TrySend(ReadOnlySpan<byte> message)
        {
            if (message.Length + FrameHead.MaxBytes > settings.MaxQueuedBytes)
            {
                throw new ArgumentException($"a message of {message.Length} bytes; the queue holds {settings.MaxQueuedBytes}");
            }

            lock (gate)
            {
                if (closing || state != SocketState.Connected || type == SocketType.Subscriber)
                {
                    return false;
                }

                try
                {
                    bool taken = peer!.TrySend(message);
                    Flush();
                    return taken;
                }
                catch (ZmtpFailure failure)
                {
                    GiveUp(failure, NowMs);
                    return false;
                }
            }
        }

        public bool TryReceive(out ReadOnlyMemory<byte> message)
        {
            lock (gate)
            {
                message = default;
                if (closing || peer == null)
                {
                    return false;
                }

                if (!peer.HasMessage)
                {
                    Step(NowMs);
                }

                if (peer == null || !peer.HasMessage)
                {
                    return false;
                }

                message = peer.Take();
                return true;
            }
        }

        public void Subscribe(byte[] topic)
        {
            lock (gate)
            {
                this.topic = topic;
                peer?.Subscribe(topic);
            }
        }

        public void Reconnect(string why)
        {
            lock (gate)
            {
                if (state == SocketState.Connected)
                {
                    GiveUp(ZmtpFailure.Link(why), NowMs);
                }
            }
        }

        public void Wake() => woken = true;

        public void Dispose()
        {
            closing = true;
            lock (gate)
            {
                if (state == SocketState.Closed)
                {
                    return;
                }

                Drop();
                state = SocketState.Closed;
                reason = "closed";
            }
        }

        /// <summary>Does what can be done now.</summary>
        private void Step(long now)
        {
            try
            {
                switch (phase)
                {
                    case Phase.Waiting when now >= retryMs:
                        Begin(now);
                        break;
                    case Phase.Resolving:
                        Resolve(now);
                        break;
                    case Phase.Connecting:
                        Connect(now);
                        break;
                    case Phase.Talking:
                        Talk(now);
                        break;
                }
            }
            catch (ZmtpFailure failure)
            {
                GiveUp(failure, now);
            }
        }

        private void Begin(long now)
        {
            deadlineMs = now + settings.ConnectTimeoutMs;
            phase = Phase.Resolving;
            Show(SocketState.Connecting, $"connecting to {endpoint}");
            resolver.Begin();
            Resolve(now);
        }

        private void Resolve(long now)
        {
            if (!resolver.TryTake(out var address))
            {
                CheckDeadline(now, $"the look-up of '{endpoint.Host}' takes too long");
                return;
            }

            link = new TcpLink(address, endpoint.Port, settings.ReceiveBufferBytes);
            phase = Phase.Connecting;
            Connect(now);
        }

        private void Connect(long now)
        {
            if (!link!.IsConnected())
            {
                CheckDeadline(now, $"no answer from {endpoint}");
                return;
            }

            phase = Phase.Talking;
            deadlineMs = now + settings.HandshakeTimeoutMs;
            heardMs = now;
            pinged = false;
            IMechanism mechanism = settings.Keys == null ? new NullMechanism(type) : new CurveMechanism(settings.Keys, type);
            peer = new ZmtpPeer(type, mechanism, received, queue, settings.MaxMessageBytes) { Topic = topic };
            Show(SocketState.Handshaking, $"shaking hands with {endpoint}");
            Talk(now);
        }

        private void Talk(long now)
        {
            var talking = peer!;
            for (int reads = 0; !talking.Advance() && reads < MaxReads && NowMs - now <= StepMs; reads++)
            {
                Flush();
                int count = link!.Receive(received.Room());
                if (count == 0)
                {
                    break;
                }

                received.Filled(count);
                heardMs = now;
                pinged = false;
            }

            Flush();
            if (state == SocketState.Connected)
            {
                WatchOver(talking, now);
            }
            else if (talking.IsReady)
            {
                Stand(now);
            }
            else
            {
                CheckDeadline(now, $"{endpoint} does not finish the handshake");
            }
        }

        private void Stand(long now)
        {
            connectedMs = now;
            refused = false;
            resolver.Reset();
            Interlocked.Increment(ref connections);
            reason = "";
            state = SocketState.Connected;
        }

        /// <summary>Heartbeats. After everything that lay there was read, so that our own silence is not the server's.</summary>
        private void WatchOver(ZmtpPeer talking, long now)
        {
            if (settings.HeartbeatIntervalMs == 0 || !talking.KnowsHeartbeats || talking.HasMessage)
            {
                return;
            }

            if (pinged && now - pingedMs >= settings.HeartbeatTimeoutMs)
            {
                throw ZmtpFailure.Link($"{endpoint} gives no sign of life");
            }

            if (!pinged && now - heardMs >= settings.HeartbeatIntervalMs)
            {
                pinged = true;
                pingedMs = now;
                talking.Ping();
                Flush();
            }
        }

        private void Flush()
        {
            while (!queue.IsEmpty)
            {
                int count = link!.Send(queue.Waiting);
                if (count == 0)
                {
                    return;
                }

                queue.Sent(count);
            }
        }

        private void CheckDeadline(long now, string late)
        {
            if (now >= deadlineMs)
            {
                throw ZmtpFailure.Link(late);
            }
        }

        private void GiveUp(ZmtpFailure failure, long now)
        {
            string? suspicion = failure.HungUp ? peer?.HangUpReason : null;
            refused = failure.Refused || suspicion != null;
            bool tryNextAddress = phase == Phase.Connecting && resolver.HasMore;
            if (state == SocketState.Connected && now - connectedMs >= SoundMs)
            {
                backoff.Reset();
            }

            Drop();
            retryMs = tryNextAddress ? now : now + backoff.NextMs(refused);
            Show(SocketState.WaitingToRetry, suspicion ?? failure.Message);
        }

        private void Drop()
        {
            phase = Phase.Waiting;
            link?.Dispose();
            link = null;
            peer?.Dispose();
            peer = null;
            received.Clear();
            queue.Clear();
        }

        /// <summary>Who was refused stays so, with the reason, while it is tried again.</summary>
        private void Show(SocketState next, string why)
        {
            if (!refused || next == SocketState.WaitingToRetry)
            {
                reason = why;
            }

            state = refused ? SocketState.Refused : next;
        }

        private void Wait(int milliseconds, long now)
        {
            if (link == null)
            {
                long left = phase == Phase.Waiting ? Math.Max(0, retryMs - now) : 1;
                Thread.Sleep((int)Math.Min(milliseconds, left));
                return;
            }

            bool connecting = phase == Phase.Connecting;
            link.Wait(queue.IsEmpty || connecting ? milliseconds : Math.Min(milliseconds, SendSliceMs), connecting);
        }
    }
}
