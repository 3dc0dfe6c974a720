#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    public sealed class PoseLinkTests
    {
        private readonly Server server = new Server();
        private FakeSocket socket = new FakeSocket();
        private FakeClock clock = new FakeClock();
        private PoseLink link = null!;

        [SetUp]
        public void Begin()
        {
            socket = new FakeSocket();
            clock = new FakeClock();
            link = new PoseLink(socket, clock, null);
        }

        [Test]
        public void GapsAreCountedRepetitionsAndNoiseRefused()
        {
            Put(5);
            Put(6);
            Put(9);
            Put(9);
            Put(7);
            socket.Put(new byte[] { 1, 2, 3 });
            Assert.That(link.Step(0), Is.EqualTo(6));
            var counts = link.Counts;
            Assert.That((counts.Received, counts.Lost, counts.Refused), Is.EqualTo((3UL, 2UL, 3UL)));
            Assert.That((counts.FirstSequence, counts.LastSequence), Is.EqualTo((5UL, 9UL)));
            Assert.That(counts.LastRefusal, Does.Contain("3 bytes"));
        }

        [Test]
        public void ItAsksForPosesByTheTokenThatItWasGivenOnce()
        {
            link.Step(0);
            var token = new byte[] { 1, 2, 3 };
            link.Token = token;
            link.Step(0);
            link.Step(0);
            link.Token = null;
            link.Step(0);
            var everyMessage = System.Text.Encoding.ASCII.GetBytes("SNAV");
            Assert.That(socket.Topics, Is.EqualTo(new[] { everyMessage, token, everyMessage }));
        }

        [Test]
        public void WhatTheServerHadSentByTheEndCounts()
        {
            Put(1);
            link.Step(0);
            link.CloseAt(server.Session, 4);
            Assert.That(link.Counts.Lost, Is.EqualTo(3UL));
            link.CloseAt(new Server(9).Session, 100);
            Assert.That(link.Counts.Lost, Is.EqualTo(3UL), "another run of the server says nothing about this one");
        }

        [Test]
        public void ANewSessionCountsAnew()
        {
            Put(100);
            socket.Put(new Server(9).Batch(1, 0, TestTool.At(0.0f)));
            link.Step(0);
            Assert.That((link.Counts.Sessions, link.Counts.Lost), Is.EqualTo((2, 0UL)));
        }

        [Test]
        public void AnotherClockIsRefusedAndNotHandedOn()
        {
            link.Facts = server.Facts(default, 0, Server.Welcome());
            socket.Put(server.Batch(1, 0, Validity.Valid, "", 55, TestTool.At(0.0f)));
            link.Step(0);
            Assert.That(link.Counts.Refused, Is.EqualTo(1UL));
            Assert.That(link.Ring.Peek(), Is.Null);
        }

        [Test]
        public void ADisplayThatStallsSeesTheNewestAtOnce()
        {
            for (ulong number = 1; number <= 1000; number++)
            {
                Put(number);
                link.Step(0);
            }

            int drained = 0;
            for (; link.Ring.Peek() != null; drained++)
            {
                link.Ring.Release();
            }

            Assert.That(drained, Is.EqualTo(256));
            Assert.That(link.Ring.TakeNewest()!.Header.Sequence, Is.EqualTo(1000UL));
            Assert.That(link.Ring.TakeNewest(), Is.Null);
            Put(1001);
            link.Step(0);
            Assert.That(link.Ring.Peek()!.Header.Sequence, Is.EqualTo(1001UL));
        }

        [Test]
        public void LatenciesAreOnTheServersClock()
        {
            for (int index = 0; index < 100; index++)
            {
                clock.NowNs = (1000 + (10 * index)) * Ms;
                long captureNs = clock.NowNs + (500 * Ms) - ((1 + index) * Ms); // 500 ms ahead; 1 to 100 ms ago
                socket.Put(server.Batch((ulong)index + 1, captureNs, TestTool.At(0.0f)));
                link.Step(0);
            }

            link.Latencies.Percentiles(500 * Ms, out double p50, out double p99, out _);
            Assert.That(p50, Is.EqualTo(50.5).Within(1e-9));
            Assert.That(p99, Is.EqualTo(99.01).Within(1e-9));
            Assert.That(link.Latencies.RateHz(clock.NowNs), Is.EqualTo(100.0));
        }

        [Test]
        public void ALinkThatFallsSilentIsMadeAnewWithMorePatienceEachTime()
        {
            link.RateHz = 100.0;
            Put(1);
            link.Step(0);
            Assert.That(ReconnectedAfter(), Is.EqualTo(2001));
            Assert.That(ReconnectedAfter(), Is.EqualTo(4001));
            Assert.That(ReconnectedAfter(), Is.EqualTo(8001));
            Assert.That(ReconnectedAfter(), Is.EqualTo(8001));
            Put(2);
            link.Step(0);
            Assert.That(ReconnectedAfter(), Is.EqualTo(2001), "something came: as in the beginning");
            Assert.That(socket.GivenUp[0], Does.Contain("no poses come"));
        }

        [Test]
        public void AHeadsetThatWasStoppedReadsWhatCameMeanwhile()
        {
            link.RateHz = 100.0;
            Put(1);
            link.Step(0);
            clock.AdvanceMs(10_000);
            link.Step(0);
            Assert.That(socket.GivenUp, Is.Empty);
            Assert.That(ReconnectedAfter(), Is.EqualTo(1751), "250 ms count");
        }

        [Test]
        public void ASlowServersSilenceIsLonger()
        {
            link.RateHz = 2.0;
            Assert.That(ReconnectedAfter(), Is.EqualTo(5001), "10 of its periods");
        }

        [TestCase(0.0, SocketState.Connected)]
        [TestCase(100.0, SocketState.WaitingToRetry)]
        [TestCase(100.0, SocketState.Refused)]
        public void SilenceThatIsNoneIsLeftAlone(double rateHz, SocketState state)
        {
            link.RateHz = rateHz;
            socket.State = state;
            Assert.That(ReconnectedAfter(), Is.EqualTo(-1));
        }

        /// <summary>In ms; -1 if not within 20 s.</summary>
        private int ReconnectedAfter()
        {
            int before = socket.GivenUp.Count;
            for (int ms = 1; ms <= 20_000; ms++)
            {
                clock.AdvanceMs(1);
                link.Step(0);
                if (socket.GivenUp.Count > before)
                {
                    return ms;
                }
            }

            return -1;
        }

        private void Put(ulong number) => socket.Put(server.Batch(number, 0, TestTool.At(0.0f)));
    }
}
