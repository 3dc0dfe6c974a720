#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class ControlLinkTests
    {
        private readonly ClientSettings settings = new ClientSettings { Name = "test headset" };
        private Server server = new Server();
        private FakeSocket socket = new FakeSocket();
        private FakeClock clock = new FakeClock();
        private EventQueue events = null!;
        private ControlLink link = null!;

        [SetUp]
        public void Begin()
        {
            server = new Server();
            socket = new FakeSocket();
            clock = new FakeClock(1_000_000);
            events = new EventQueue(clock);
            link = new ControlLink(socket, clock, settings, events, new BufferPool(1 << 20));
        }

        [Test]
        public void HelloIsRepeatedUntilTheWelcome()
        {
            Assert.That(Sent<Hello>().Single().ClientName, Is.EqualTo("test headset"));
            clock.AdvanceMs(400);
            Assert.That(Sent<Hello>(), Is.Empty);
            clock.AdvanceMs(101);
            Assert.That(Sent<Hello>().Single().Stream, Is.EqualTo(events.Stream));
            Welcome();
            clock.AdvanceMs(600);
            Assert.That(Sent<Hello>(), Is.Empty);
        }

        [Test]
        public void AServerThatDoesNotAnswerIsCalledAnewAndGreeted()
        {
            Welcome();
            ListenFor(2999);
            Assert.That(socket.GivenUp, Is.Empty);
            clock.AdvanceMs(2);
            Assert.That(Sent<Hello>().Single().Stream, Is.EqualTo(events.Stream));
            Assert.That(socket.GivenUp.Single(), Does.Contain("does not answer"));
            Welcome();
            ListenFor(2999);
            Assert.That(socket.GivenUp.Count, Is.EqualTo(1));
        }

        [Test]
        public void AHeadsetThatWasStoppedHasHeardNoSilence()
        {
            Welcome();
            clock.AdvanceMs(10_000);
            Sent();
            Assert.That(socket.GivenUp, Is.Empty);
        }

        [Test]
        public void WithoutAConnectionTheReasonIsSaid()
        {
            socket.State = SocketState.Refused;
            socket.Reason = "not enrolled";
            link.Step(0, default);
            Assert.That((link.Facts.HasClock, link.Facts.Obstacle), Is.EqualTo((false, "not enrolled")));
        }

        [Test]
        public void ClocksAreComparedAtOnceSixteenTimesThenOnceASecond()
        {
            Welcome();
            int exchanges = 0;
            while (Answer(aheadNs: 7_000))
            {
                exchanges++;
            }

            Assert.That(exchanges, Is.EqualTo(16));
            Assert.That(link.ClockIsSettled, Is.True);
            Assert.That(link.Facts.Offset.OffsetNs, Is.EqualTo(7_000));
            Assert.That(link.Facts.Obstacle, Is.Empty);
            clock.AdvanceMs(1001);
            Assert.That(Answer(aheadNs: 7_000), Is.True);
        }

        [Test]
        public void ClocksOfOneNameAreOneIfTheExchangeAgrees()
        {
            clock = new FakeClock(1_000_000, "server");
            link = new ControlLink(socket, clock, settings, events, new BufferPool(1 << 20));
            Welcome();
            Answer(aheadNs: 30);
            Assert.That((link.Facts.Offset.OffsetNs, link.Facts.Offset.ErrorNs), Is.EqualTo((0L, 0L)));
            Answer(aheadNs: 900_000_000, roundTripNs: 2);
            Assert.That(link.Facts.Offset.OffsetNs, Is.EqualTo(900_000_000), "the name alone is not believed");
        }

        [TestCase(SelfTestState.Untested, 0)]
        [TestCase(SelfTestState.Passed, 1)]
        public void WhatTheHeadsetSeesWaitsForTheSelfTestAndTheClock(SelfTestState state, int sent)
        {
            var observations = new ObservationSender();
            link = new ControlLink(socket, clock, settings, events, new BufferPool(1 << 20), observations);
            observations.TryPut("place-1", 1, new[] { new ObservedTool { Tool = "stylus", Validity = Validity.Lost } });
            Welcome(selfTest: state);
            Assert.That(Sent<ToolObservations>(), Is.Empty);
            clock.AdvanceMs(600);
            Assert.That(Answer(aheadNs: 7_000), Is.True);
            Assert.That(Sent<ToolObservations>().Count, Is.EqualTo(sent));
        }

        [Test]
        public void AnotherRunOfTheServerIsGreetedAndItsClockComparedAnew()
        {
            Welcome();
            Answer(aheadNs: 7_000);
            var old = server;
            server = new Server(50);
            clock.AdvanceMs(600);
            link.Step(0, server.Session);
            var hello = socket.TakeSent().OfType<Hello>().Single();
            Assert.That(hello.LastEvent, Is.EqualTo(0UL), "of the old session, which its header names");
            socket.Put(server.Message(Server.Welcome()));
            link.Step(0, server.Session);
            Assert.That(link.ServerSession, Is.Not.EqualTo(old.Session));
            Assert.That(link.Facts.HasClock, Is.False);
        }

        [Test]
        public void ANewConnectionSaysHelloAgainAndWhatItHasHeard()
        {
            Welcome(lastEvent: 3);
            Put(new ServerEvent { Number = 4, Kind = "notice", OldestKept = 1 });
            link.Step(0, default);
            socket.Reconnect();
            Assert.That(Sent<Hello>().Single().LastEvent, Is.EqualTo(4UL));
        }

        [Test]
        public void AnUnknownClientSaysHello()
        {
            Welcome();
            clock.AdvanceMs(600);
            Put(new Error { Code = "UnknownClient", Came = "a", Allowed = "b", Action = "c" });
            Assert.That(Sent<Hello>().Count, Is.EqualTo(1));
        }

        [Test]
        public void EventsAreSentAgainUntilTheAnswerIsFinal()
        {
            Welcome();
            Answer(aheadNs: 7_000);
            clock.AdvanceMs(5);
            long happenedNs = clock.NowNs;
            Assert.That(events.TrySend(Touch("nasion"), out ulong number), Is.True);
            var sent = Sent<ClientEvent>().Single();
            Assert.That((sent.Number, sent.Stream), Is.EqualTo((number, events.Stream)));
            Assert.That(sent.FirstSession, Is.EqualTo(server.Session.ToString()));
            Assert.That(sent.HappenedNs, Is.EqualTo(happenedNs + 7_000));
            clock.AdvanceMs(501);
            Assert.That(Sent<ClientEvent>().Single().Number, Is.EqualTo(number));
            Put(AnswerTo(number, EventOutcome.Pending));
            link.Step(0, default);
            clock.AdvanceMs(501);
            Assert.That(Sent<ClientEvent>().Count, Is.EqualTo(1), "pending is not the end");
            Put(AnswerTo(number, EventOutcome.Accepted));
            Put(AnswerTo(number, EventOutcome.Accepted));
            link.Step(0, default);
            Assert.That(events.TryTakeAnswer(out var answer), Is.True);
            Assert.That(answer.Outcome, Is.EqualTo(EventOutcome.Accepted));
            Assert.That(events.TryTakeAnswer(out _), Is.False, "once, however often it is answered");
            clock.AdvanceMs(501);
            Assert.That(Sent<ClientEvent>(), Is.Empty);
        }

        [Test]
        public void ARestartedServerIsAskedUnderTheFirstSession()
        {
            Welcome();
            string first = server.Session.ToString();
            events.TrySend(Touch("nasion"), out _);
            Sent<ClientEvent>();
            socket.Reconnect();
            server = new Server(50);
            link.Step(0, default);
            Put(Server.Welcome());
            var again = Sent<ClientEvent>().Single();
            Assert.That(again.FirstSession, Is.EqualTo(first));
            events.TrySend(Touch("left eye"), out _);
            Assert.That(Sent<ClientEvent>().Single().FirstSession, Is.EqualTo(server.Session.ToString()));
        }

        [Test]
        public void TooManyUnansweredEventsAreNotTaken()
        {
            for (int count = 0; count < EventQueue.MaxUnanswered; count++)
            {
                Assert.That(events.TrySend(Touch("a"), out _), Is.True);
            }

            Assert.That(events.TrySend(Touch("b"), out _), Is.False);
        }

        [Test]
        public void AnEventThatCannotBeSentIsRefusedLikeAnyOther()
        {
            Welcome();
            events.TrySend(Touch(new string('x', 2000)), out ulong number);
            link.Step(0, default);
            Assert.That(events.TryTakeAnswer(out var answer), Is.True);
            Assert.That((answer.Number, answer.Outcome), Is.EqualTo((number, EventOutcome.Refused)));
        }

        [Test]
        public void ServersEventsComeInOrderEachOnceAndAreConfirmed()
        {
            Welcome(lastEvent: 3);
            foreach (ulong number in new ulong[] { 5, 4, 4, 5, 6 })
            {
                Put(new ServerEvent { Number = number, Kind = "notice", Reason = $"{number}", OldestKept = 1 });
            }

            var receipts = Sent<EventReceipt>().Select(each => each.LastEvent);
            Assert.That(receipts, Is.EqualTo(new ulong[] { 4, 4, 5, 6 }), "the early one is not confirmed");
            Assert.That(Happened(), Is.EqualTo(new ulong[] { 4, 5, 6 }));
        }

        [TestCase(ServerEventKinds.SurfaceApproved, true)]
        [TestCase(ServerEventKinds.SurfaceOffered, true)]
        [TestCase(ServerEventKinds.SurfaceWithdrawn, true)]
        [TestCase(ServerEventKinds.Notice, false)]
        public void TheManifestIsAskedForWhenWhatIsOnOfferChanges(string kind, bool changes)
        {
            Welcome();
            Put(new ServerEvent { Number = 1, Kind = kind, OldestKept = 1 });
            link.Step(0, default);
            Assert.That(link.SurfacesHaveChanged, Is.EqualTo(changes));
        }

        [Test]
        public void WhatTheServerNoLongerHasIsMadeUpForByTheState()
        {
            Welcome(lastEvent: 3);
            Put(new ServerEvent { Number = 301, Kind = "notice", OldestKept = 300 });
            Assert.That(Sent<Hello>().Count, Is.EqualTo(1));
            Assert.That(Happened(), Is.Empty, "300 is still to come");
            Put(new ServerEvent { Number = 300, Kind = "notice", OldestKept = 300 });
            Put(new ServerEvent { Number = 301, Kind = "notice", OldestKept = 300 });
            link.Step(0, default);
            Assert.That(Happened(), Is.EqualTo(new ulong[] { 300, 301 }));
        }

        [Test]
        public void ReportsAreAcknowledgedByTheirNumber()
        {
            Welcome();
            link.AskToReport(new ClientReport());
            link.Step(0, default);
            ulong sequence = 0;
            foreach (var bytes in socket.Sent)
            {
                if (MessageCodec.Decode(bytes, out var header) is ClientReport)
                {
                    sequence = header.Sequence;
                }
            }

            Put(new Acknowledge { AnswersSequence = sequence + 1 });
            link.Step(0, default);
            Assert.That(link.ReportsTaken, Is.EqualTo(0));
            Put(new Acknowledge { AnswersSequence = sequence });
            link.Step(0, default);
            Assert.That(link.ReportsTaken, Is.EqualTo(1));
        }

        [Test]
        public void NoiseIsCountedAndNothingElseHappens()
        {
            Welcome();
            socket.Put(new byte[100]);
            link.Step(0, default);
            Assert.That(link.Refused, Is.EqualTo(1UL));
            Assert.That(link.LastRefusal, Does.Contain("begins with"));
        }

        [TestCase(SelfTestState.Passed, "")]
        [TestCase(SelfTestState.Failed, "this client places things wrongly: mirrored along x")]
        public void UntilTheSelfTestIsPassedNothingIsShown(SelfTestState verdict, string obstacle)
        {
            Welcome(selfTest: SelfTestState.Untested);
            Answer(aheadNs: 0);
            events.TrySend(Touch("nasion"), out _);
            Assert.That(link.Facts.Obstacle, Does.Contain("self-test"));
            clock.AdvanceMs(501);
            var sent = Sent();
            Assert.That(sent.OfType<ClientEvent>(), Is.Empty, "it would be refused");
            Assert.That(sent.OfType<SelfTestRequest>().Count(), Is.EqualTo(1));
            Put(SelfTestTests.Task(server));
            var report = Sent<SelfTestReport>().Single();
            Assert.That(Sent<SelfTestReport>(), Is.Empty, "once");
            clock.AdvanceMs(501);
            var again = Sent<SelfTestReport>().Single();
            Assert.That(again.Challenge, Is.EqualTo(report.Challenge));
            var judged = new SelfTestVerdict { Challenge = again.Challenge, State = verdict };
            if (verdict == SelfTestState.Failed)
            {
                judged.Reasons.Add("mirrored along x");
            }

            Put(judged);
            Assert.That(Sent<ClientEvent>().Count, Is.EqualTo(verdict == SelfTestState.Passed ? 1 : 0));
            Assert.That(link.Facts.Obstacle, Is.EqualTo(obstacle));
        }

        private static ClientEvent Touch(string name)
        {
            return new ClientEvent { Kind = ClientEventKinds.LandmarkTouched, Name = name, PositionM = new double[3] };
        }

        private EventAnswer AnswerTo(ulong number, EventOutcome outcome)
        {
            return new EventAnswer { Stream = events.Stream, Number = number, Outcome = outcome };
        }

        private List<ulong> Happened()
        {
            var numbers = new List<ulong>();
            while (events.TryTakeServerEvent(out var happened))
            {
                numbers.Add(happened.Number);
            }

            return numbers;
        }

        private void Put(IMessage message) => socket.Put(server.Message(message));

        private void Welcome(ulong lastEvent = 0, SelfTestState? selfTest = null)
        {
            var welcome = Server.Welcome(selfTest);
            welcome.LastEvent = lastEvent;
            Put(welcome);
            link.Step(0, default);
        }

        private void ListenFor(int milliseconds)
        {
            for (; milliseconds > 0; milliseconds -= 200)
            {
                clock.AdvanceMs(Math.Min(200, milliseconds));
                Sent();
            }
        }

        private List<IMessage> Sent()
        {
            link.Step(0, default);
            return socket.TakeSent();
        }

        private List<T> Sent<T>() => Sent().OfType<T>().ToList();

        /// <summary>Answers the newest request for the time; false if there is none.</summary>
        private bool Answer(long aheadNs, long roundTripNs = 100)
        {
            var request = Sent<ClockRequest>().LastOrDefault();
            if (request == null)
            {
                return false;
            }

            long thereNs = request.ClientSentNs + (roundTripNs / 2) + aheadNs;
            clock.NowNs = request.ClientSentNs + roundTripNs;
            Put(new ClockReply { ClientSentNs = request.ClientSentNs, ServerReceivedNs = thereNs, ServerSentNs = thereNs });
            link.Step(0, default);
            return true;
        }
    }
}
