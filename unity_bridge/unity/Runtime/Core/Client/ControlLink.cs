#nullable enable
using System;
using System.Threading;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// The client's end of the control socket: presents itself, compares clocks, takes the self-test, carries events,
    /// reports. Step belongs to the control thread; what other threads may ask for is marked.
    /// </summary>
    internal sealed class ControlLink : IDisposable
    {
        /// <summary>Events and the self-test's task are small.</summary>
        internal const int MaxMessageBytes = 1 << 20;

        /// <summary>An answer that has not come after this time is asked for again.</summary>
        internal const long RetryNs = 500_000_000;

        /// <summary>Clock exchanges at once after the Welcome; then one a second, since clocks drift.</summary>
        internal const int FirstExchanges = 16;

        /// <summary>Without any answer for so long the link is taken to be broken: a new one is made.</summary>
        internal const long SilenceNs = 3_000_000_000;

        private const long ExchangeEveryNs = 250_000_000;
        private const int MaxPerStep = 64;
        private readonly IMessageSocket socket;
        private readonly IClock clock;
        private readonly ClientSettings settings;
        private readonly EventQueue events;
        private readonly ObservationSender observations;
        private readonly MessageSender sender;
        private readonly ClockExchange exchange = new ClockExchange();
        private readonly SelfTestSteps selfTest;
        private readonly Silence silence;
        private ServerFacts facts = new ServerFacts("not connected to the server");
        private bool isWelcomed;
        private ulong serverClock;
        private int reconnections;
        private long? askedHelloNs;
        private long? askedClockNs;
        private ulong reportSequence;
        private bool helloAsked;
        private int welcomes;
        private int reportsTaken;
        private ClientReport? reportAsked;

        internal ControlLink(
            IMessageSocket socket, IClock clock, ClientSettings settings, EventQueue events, BufferPool pool,
            ObservationSender? observations = null)
        {
            this.socket = socket;
            this.clock = clock;
            this.settings = settings;
            this.events = events;
            this.observations = observations ?? new ObservationSender();
            sender = new MessageSender(socket, clock);
            silence = new Silence(clock.NowNs);
            selfTest = new SelfTestSteps(sender, clock, pool, settings.PlacesSelfTestItself);
        }

        internal IMessageSocket Socket => socket;

        internal SelfTestSteps SelfTest => selfTest;

        /// <summary>The server's state as of the last Hello; null before the first Welcome.</summary>
        internal Welcome? Welcome { get; private set; }

        internal SessionId ServerSession => sender.SessionId;

        /// <summary>What the display must know; a new object whenever something of it has changed.</summary>
        internal ServerFacts Facts => facts;

        internal bool IsWelcomed => isWelcomed;

        /// <summary>The server has told so; set back by whoever looks.</summary>
        internal bool SurfacesHaveChanged { get; set; }

        internal ulong Refused { get; private set; }

        internal string LastRefusal { get; private set; } = "";

        internal bool ClockIsSettled => exchange.Count >= FirstExchanges;

        /// <summary>How often the server has welcomed us. Any thread.</summary>
        internal int Welcomes => Volatile.Read(ref welcomes);

        /// <summary>How many reports the server has acknowledged. Any thread.</summary>
        internal int ReportsTaken => Volatile.Read(ref reportsTaken);

        /// <summary>As the exchange alone has it.</summary>
        internal bool TryMeasuredOffset(out ClockOffset offset) => exchange.TryBest(out offset);

        /// <summary>Any thread: the state as it is now is wanted; Welcomes grows when it is here.</summary>
        internal void AskForState() => Volatile.Write(ref helloAsked, true);

        /// <summary>To be sent as soon as possible; ReportsTaken grows when the server has it.</summary>
        internal void AskToReport(ClientReport report) => Volatile.Write(ref reportAsked, report);

        /// <summary>Waits at most so long, takes in what is there, asks for what is due.</summary>
        /// <param name="timeoutMs">0 does not wait.</param>
        /// <param name="posesFrom">Which run of the server sends the poses; none before the first.</param>
        internal void Step(int timeoutMs, SessionId posesFrom)
        {
            bool hasMessage = socket.Poll(timeoutMs);
            for (int count = 0; hasMessage && count < MaxPerStep && socket.TryReceive(out var message); count++)
            {
                silence.Broken(clock.NowNs);
                Take(message, clock.NowNs);
            }

            Tick(posesFrom);
            Publish();
        }

        public void Dispose()
        {
            sender.TrySend(new Goodbye());
            socket.Dispose();
        }

        private void Tick(SessionId posesFrom)
        {
            long nowNs = clock.NowNs;
            WatchOver(nowNs);
            bool isAnotherRun = isWelcomed && !posesFrom.IsNone && posesFrom != sender.SessionId;
            if (socket.Reconnections != reconnections)
            {
                // A new connection is a new client to the server, until it says who it is.
                reconnections = socket.Reconnections;
                isWelcomed = false;
                askedHelloNs = null;
            }

            bool isDue = !askedHelloNs.HasValue || nowNs - askedHelloNs.Value > RetryNs;
            if ((!isWelcomed && isDue) || (isAnotherRun && isDue) || Volatile.Read(ref helloAsked))
            {
                SayHello(nowNs);
            }

            if (!isWelcomed)
            {
                return;
            }

            long waitNs = ClockIsSettled ? ExchangeEveryNs : RetryNs;
            if (!askedClockNs.HasValue || nowNs - askedClockNs.Value > waitNs)
            {
                AskTime();
            }

            selfTest.Tick();
            SendEvents();
            if (selfTest.MayShow)
            {
                observations.Send(sender, facts);
            }

            SendReport();
        }

        private void WatchOver(long nowNs)
        {
            if (socket.State != SocketState.Connected)
            {
                silence.Excused(nowNs);
            }
            else if (silence.IsTooLong(SilenceNs, nowNs))
            {
                socket.Reconnect("the server does not answer: connecting anew");
            }
        }

        private void SayHello(long nowNs)
        {
            var hello = new Hello
            {
                ClientName = settings.Name,
                Program = settings.Program,
                Stream = events.Stream,
                LastEvent = sender.SessionId.IsNone ? (ulong?)null : events.LastServerEvent,
            };
            if (sender.TrySend(hello))
            {
                askedHelloNs = nowNs;
                Volatile.Write(ref helloAsked, false);
            }
        }

        private void AskTime()
        {
            long nowNs = clock.NowNs;
            if (sender.TrySend(new ClockRequest { ClientSentNs = nowNs }))
            {
                askedClockNs = nowNs;
            }
        }

        private void SendEvents()
        {
            while (selfTest.MayShow && events.TryNextDue(sender.SessionId, facts, out var due))
            {
                if (!events.TrySend(due, sender))
                {
                    return;
                }
            }
        }

        private void SendReport()
        {
            var report = Volatile.Read(ref reportAsked);
            if (report != null && sender.TrySend(report))
            {
                reportSequence = sender.Sequence;
                Interlocked.CompareExchange(ref reportAsked, null, report);
            }
        }

        private void Take(ReadOnlyMemory<byte> bytes, long receivedNs)
        {
            try
            {
                var message = MessageCodec.Decode(bytes, out var header);
                switch (message)
                {
                    case Welcome welcome:
                        TakeWelcome(welcome, header);
                        break;
                    case ClockReply reply:
                        TakeTime(reply, receivedNs);
                        break;
                    case Acknowledge acknowledge:
                        bool isReport = acknowledge.AnswersSequence == reportSequence && reportSequence > 0;
                        Volatile.Write(ref reportsTaken, reportsTaken + (isReport ? 1 : 0));
                        reportSequence = isReport ? 0 : reportSequence;
                        break;
                    case EventAnswer answer:
                        events.Take(answer);
                        break;
                    case ServerEvent happened:
                        TakeEvent(happened, header);
                        break;
                    case SelfTestTask task:
                        selfTest.Take(task);
                        break;
                    case SelfTestVerdict verdict:
                        selfTest.Take(verdict);
                        break;
                    case HeadsetAlignment alignment when header.SessionId == sender.SessionId:
                        observations.Overlay.Take(alignment, receivedNs);
                        break;
                    case Error error:
                        TakeError(error);
                        break;
                }
            }
            catch (WireException error)
            {
                Refused++;
                LastRefusal = error.Message;
            }
        }

        private void TakeWelcome(Welcome welcome, in MessageHeader header)
        {
            if (header.SessionId != sender.SessionId || header.Clock != serverClock)
            {
                exchange.Clear();
                observations.Overlay.Forget();
                askedClockNs = null;
            }

            sender.SessionId = header.SessionId;
            serverClock = header.Clock;
            events.Join(header.SessionId, welcome.LastEvent.GetValueOrDefault());
            selfTest.Begin(welcome);
            Welcome = welcome;
            isWelcomed = true;
            Volatile.Write(ref welcomes, welcomes + 1);
        }

        private void TakeTime(ClockReply reply, long receivedNs)
        {
            if (reply.ClientSentNs != askedClockNs)
            {
                return; // an answer that was given up on
            }

            exchange.Add(reply.ClientSentNs, reply.ServerReceivedNs, reply.ServerSentNs, receivedNs);
            if (!ClockIsSettled)
            {
                AskTime();
            }
        }

        private void TakeEvent(ServerEvent happened, in MessageHeader header)
        {
            var place = events.Take(header.SessionId, happened);
            if (place == EventPlace.Missed)
            {
                AskForState();
                place = events.Take(header.SessionId, happened);
            }

            if (place == EventPlace.Next)
            {
                SurfacesHaveChanged |= happened.Kind == ServerEventKinds.SurfaceApproved
                    || happened.Kind == ServerEventKinds.SurfaceOffered
                    || happened.Kind == ServerEventKinds.SurfaceWithdrawn;
                if (ServerEventKinds.ChangesState(happened.Kind))
                {
                    AskForState();
                }
            }

            if (place == EventPlace.Next || place == EventPlace.Repeated)
            {
                sender.TrySend(new EventReceipt { LastEvent = events.LastServerEvent });
            }
        }

        private void TakeError(Error error)
        {
            Refused++;
            LastRefusal = error.InWords();
            if (error.Code == "UnknownClient")
            {
                isWelcomed = false; // the server has started anew, or made room: Tick says Hello
            }
            else
            {
                selfTest.Take(error);
            }
        }

        /// <summary>Makes new facts where something has changed.</summary>
        private void Publish()
        {
            bool hasClock = TryOffset(out var offset) && !sender.SessionId.IsNone;
            string obstacle = Obstacle(hasClock);
            var ages = PoseAges.Of(settings, Welcome);
            bool isSame = facts.Obstacle == obstacle && facts.HasClock == hasClock
                && (!hasClock || facts.IsOf(sender.SessionId, serverClock, offset, exchange.NewestNs, ages));
            if (!isSame)
            {
                facts = hasClock
                    ? new ServerFacts(sender.SessionId, serverClock, offset, exchange.NewestNs, ages, obstacle)
                    : new ServerFacts(obstacle);
            }
        }

        /// <summary>Exact if both sides name one clock and the exchange does not say otherwise.</summary>
        private bool TryOffset(out ClockOffset offset)
        {
            if (!exchange.TryBest(out offset))
            {
                return false;
            }

            bool isOneClock = Welcome != null && Welcome.ClockId == clock.ClockId
                && Math.Abs(offset.OffsetNs) <= offset.ErrorNs;
            offset = isOneClock ? default : offset;
            return true;
        }

        private string Obstacle(bool hasClock)
        {
            if (Welcome == null)
            {
                return socket.Reason.Length > 0 ? socket.Reason
                    : LastRefusal.Length > 0 ? LastRefusal : "waiting for the server's welcome";
            }

            return !selfTest.MayShow ? selfTest.Words : hasClock ? "" : "the clocks are being compared";
        }
    }
}
