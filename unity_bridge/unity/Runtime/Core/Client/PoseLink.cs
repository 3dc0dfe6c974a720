#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The client's end of the pose socket: reads all that has arrived, refuses what is no batch or was there before,
    /// counts what is missing, hands the rest to the display. Step belongs to the pose thread.
    /// </summary>
    internal sealed class PoseLink : IDisposable
    {
        /// <summary>256 tools with their strings; a longer message costs the connection.</summary>
        internal const int MaxBatchBytes = 262_144;

        /// <summary>What may pile up in the kernel while nobody polls: seconds of poses.</summary>
        internal const int ReceiveBufferBytes = 1 << 22;

        /// <summary>Without a batch for so long, and for so many of the server's periods, the link is taken to be broken.</summary>
        internal const long SilenceNs = 2_000_000_000;
        private const double SilentPeriods = 10.0;

        private const int MaxPerStep = 1024;

        /// <summary>All messages begin so. A server that tests its clients sends nothing for it.</summary>
        private static readonly byte[] EveryMessage = BitConverter.GetBytes(Constants.WireMagic);
        private readonly IMessageSocket socket;
        private readonly IClock clock;
        private readonly IBatchListener? listener;
        private readonly PoseBatchDecoder decoder = new PoseBatchDecoder();
        private readonly SequenceGuard guard = new SequenceGuard();
        private readonly Silence silence;
        private readonly object gate = new object();
        private double rateHz;
        private byte[]? token;
        private byte[]? subscribed;
        private PoseCounts counts = new PoseCounts { LastRefusal = "", Reason = "" };
        private ServerFacts facts = new ServerFacts("");

        internal PoseLink(IMessageSocket socket, IClock clock, IBatchListener? listener)
        {
            this.socket = socket;
            this.clock = clock;
            this.listener = listener;
            silence = new Silence(clock.NowNs);
            socket.Subscribe(EveryMessage);
        }

        internal BatchRing Ring { get; } = new BatchRing();

        internal GuidanceInbox Guidance { get; } = new GuidanceInbox();

        internal LatencyWindow Latencies { get; } = new LatencyWindow();

        internal IMessageSocket Socket => socket;

        internal PoseCounts Counts
        {
            get
            {
                lock (gate)
                {
                    return counts;
                }
            }
        }

        /// <summary>What the server admits this client by, once it has passed the self-test; null before.</summary>
        internal byte[]? Token
        {
            get => Volatile.Read(ref token);
            set => Volatile.Write(ref token, value);
        }

        /// <summary>What the control thread knows of the server.</summary>
        internal ServerFacts Facts
        {
            get => Volatile.Read(ref facts);
            set => Volatile.Write(ref facts, value);
        }

        /// <summary>How often the server sends batches, as its Welcome says; 0 as long as it does not.</summary>
        internal double RateHz
        {
            get => Volatile.Read(ref rateHz);
            set => Volatile.Write(ref rateHz, value);
        }

        /// <summary>Waits at most so long for batches, then takes in all that are there; says how many messages.</summary>
        internal int Step(int timeoutMs)
        {
            int count = 0;
            var admitted = Token;
            if (!ReferenceEquals(admitted, subscribed))
            {
                subscribed = admitted;
                socket.Subscribe(admitted ?? EveryMessage);
            }

            if (socket.Poll(timeoutMs))
            {
                while (count < MaxPerStep && socket.TryReceive(out var message))
                {
                    if (GuidanceInbox.IsGuidance(message.Span))
                    {
                        TakeGuidance(message);
                    }
                    else
                    {
                        Take(message.Span, clock.NowNs);
                    }

                    count++;
                }
            }

            WatchOver(count);
            return count;
        }

        /// <summary>
        /// Counts as lost what the server had sent by now and did not come; only the session heard last counts.
        /// </summary>
        internal void CloseAt(SessionId session, ulong sequence)
        {
            lock (gate)
            {
                if (counts.Received > 0 && session == counts.SessionId && sequence > counts.LastSequence)
                {
                    counts.Lost += sequence - counts.LastSequence;
                    counts.LastSequence = sequence;
                }
            }
        }

        public void Dispose() => socket.Dispose();

        /// <summary>A subscriber sends nothing, and so never hears from TCP that the other end has gone.</summary>
        private void WatchOver(int received)
        {
            long nowNs = clock.NowNs;
            if (received > 0)
            {
                silence.Broken(nowNs);
            }
            else if (!(RateHz > 0.0) || socket.State != SocketState.Connected)
            {
                silence.Excused(nowNs);
            }
            else if (silence.IsTooLong(Math.Max(SilenceNs, (long)(SilentPeriods * 1e9 / RateHz)), nowNs))
            {
                socket.Reconnect("no poses come though the server sends them: connecting anew");
            }
        }

        private void TakeGuidance(ReadOnlyMemory<byte> message)
        {
            try
            {
                Guidance.Take(message);
            }
            catch (WireException error)
            {
                Refuse(error);
            }
        }

        private void Refuse(WireException error)
        {
            lock (gate)
            {
                counts.Refused++;
                counts.LastRefusal = error.Message;
            }
        }

        private void Take(ReadOnlySpan<byte> message, long receivedNs)
        {
            var batch = Ring.Lend();
            try
            {
                decoder.Decode(message, batch);
                if (Facts.IsAnotherClock(batch.Header))
                {
                    throw new MalformedMessageException(
                        "poses stamped by another clock than the server's", "the clock that was compared with ours");
                }

                Count(batch, receivedNs);
            }
            catch (WireException error)
            {
                Refuse(error);
            }
        }

        private void Count(PoseBatch batch, long receivedNs)
        {
            ulong before = guard.Last;
            if (!guard.TryAdvance(batch.Header, out ulong passedOver, out bool isNewSession))
            {
                throw new MalformedMessageException(
                    $"pose batch {batch.Header.Sequence} after {before}", "growing sequence numbers of one session");
            }

            if (isNewSession)
            {
                Latencies.Clear();
            }

            long decodedNs = clock.NowNs;
            Latencies.Add(decodedNs, batch.Header.CaptureNs);
            lock (gate)
            {
                counts.Received++;
                counts.Lost += passedOver;
                counts.FirstSequence = guard.First;
                counts.LastSequence = guard.Last;
                counts.SessionId = guard.SessionId;
                counts.Sessions = guard.Sessions;
                counts.CaptureNs = batch.Header.CaptureNs;
                counts.Validity = batch.Validity;
                counts.Reason = batch.Reason;
            }

            listener?.Received(batch, receivedNs, decodedNs);
            Ring.Publish();
        }
    }
}
