#nullable enable
using System;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    public sealed class UltrasoundLinkTests
    {
        private const string Endpoint = "tcp://127.0.0.1:5573";
        private static readonly byte[] Token = { 1, 2, 3 };
        private Server server = new Server();
        private FakeTransport transport = new FakeTransport();
        private FakeClock clock = new FakeClock();
        private UltrasoundLink link = null!;
        private UltrasoundView view = new UltrasoundView();

        [SetUp]
        public void Begin()
        {
            server = new Server();
            transport = new FakeTransport();
            clock = new FakeClock(1_000 * Ms);
            link = new UltrasoundLink(transport, clock, new SocketSettings(), false);
            view = new UltrasoundView();
        }

        [Test]
        public void BeforeItIsAllowedNothingIsAskedAndNoConnectionIsMade()
        {
            link.Step(0);
            Assert.That(transport.Sockets, Is.Empty);
            link.Allow(Endpoint, Token);
            link.Step(0);
            var request = Asked().Single();
            Assert.That((request.NewerThan, request.WantsImage), Is.EqualTo((0UL, false)));
            Assert.That(request.Token.ToArray(), Is.EqualTo(Token));
            link.Allow("", null);
            link.Step(0);
            Assert.That(transport.Sockets[Endpoint].IsClosed, Is.True);
        }

        [Test]
        public void OneRequestIsUnderWayAndTheNextAsksForWhatIsNewer()
        {
            Connect();
            link.Step(0);
            Assert.That(Asked(), Is.Empty);
            Put(Frame(7, 990));
            link.Step(0);
            Assert.That(Asked().Single().NewerThan, Is.EqualTo(7));
            Put(Frame(10, 995));
            link.Step(0);
            Assert.That((link.Counts.Received, link.Counts.PassedOver), Is.EqualTo((2UL, 2UL)));
        }

        [Test]
        public void ARequestWithoutAnswerIsMadeAnewForWhateverThereIs()
        {
            Connect();
            Put(Frame(7, 990));
            link.Step(0);
            Asked();
            clock.AdvanceMs(1_001);
            link.Step(0);
            Assert.That(Asked().Single().NewerThan, Is.EqualTo(0), "the server may count from 1 again");
            Put(Frame(7, 990));
            link.Step(0);
            Assert.That((link.Counts.Received, Asked().Single().NewerThan), Is.EqualTo((1UL, 7UL)), "it was there already");
            Put(Frame(1, 1_995));
            link.Step(0);
            Assert.That((link.Counts.Received, link.Counts.PassedOver), Is.EqualTo((2UL, 0UL)));
        }

        [Test]
        public void AnOlderFrameIsNeverShownAfterANewerOne()
        {
            Connect();
            Put(Frame(7, 990));
            link.Step(0);
            Put(Frame(8, 980));
            link.Step(0);
            Assert.That(Read(1_000).Data!.Number, Is.EqualTo(7));
        }

        [Test]
        public void SilenceMakesAnotherConnection()
        {
            Connect();
            for (int step = 0; step < 31; step++)
            {
                clock.AdvanceMs(100);
                link.Step(0);
            }

            Assert.That(transport.Sockets[Endpoint].GivenUp.Count, Is.EqualTo(1));
        }

        [Test]
        public void ARefusalIsCountedAndAskedAgainOnlyAfterAWhile()
        {
            Connect();
            Put(new Error { Code = "SelfTestRequired", Came = "no token", Allowed = "one", Action = "pass" });
            link.Step(0);
            Assert.That(link.Counts.LastRefusal, Does.Contain("SelfTestRequired"));
            Assert.That(Asked(), Is.Empty);
            clock.AdvanceMs(1_001);
            link.Step(0);
            Assert.That(Asked().Count, Is.EqualTo(1));
            Assert.That(Read(2_000).Display, Is.EqualTo(ToolDisplay.Hidden));
        }

        [TestCase(1_040, ToolDisplay.Shown, "")]
        [TestCase(1_091, ToolDisplay.Greyed, "101 ms old")]
        [TestCase(1_241, ToolDisplay.Hidden, "251 ms old")]
        [TestCase(800, ToolDisplay.Hidden, "the clocks disagree")]
        public void AgeIsJudgedByTheClientsOwnClockWheneverSomethingIsDrawn(long displayMs, ToolDisplay display, string reason)
        {
            Connect();
            Put(Frame(1, 990));
            link.Step(0);
            Read(displayMs);
            Assert.That((view.Display, view.Data != null), Is.EqualTo((display, display != ToolDisplay.Hidden)));
            Assert.That(view.Reason, Does.Contain(reason));
        }

        [Test]
        public void WithoutAPlaceNothingIsDrawnAndAnUnusableImageIsGreyed()
        {
            Connect();
            var lost = Frame(1, 990);
            lost.Placing = Validity.Suspect;
            lost.PlacingReason = "the probe is covered";
            lost.FirstPixelM = lost.AlongXM = lost.AlongYM = null;
            Put(lost);
            link.Step(0);
            Assert.That((Read(1_000).Display, view.Reason), Is.EqualTo((ToolDisplay.Hidden, "the probe is covered")));
            var doubted = Frame(2, 992);
            doubted.Placing = Validity.Suspect;
            doubted.PlacingReason = "the image exchanges left and right";
            Put(doubted);
            link.Step(0);
            Assert.That((Read(1_000).Display, view.Reason), Is.EqualTo((ToolDisplay.Greyed, doubted.PlacingReason)));
            Assert.That((view.Data != null, view.ShowsContours), Is.EqualTo((true, false)));
            var frozen = Frame(3, 995);
            frozen.State = "frozen";
            frozen.Reason = "the same picture for 300 ms";
            Put(frozen);
            link.Step(0);
            Assert.That((Read(1_000).Display, view.Reason), Is.EqualTo((ToolDisplay.Greyed, "the same picture for 300 ms")));
            Assert.That(view.ShowsContours, Is.True);
        }

        [Test]
        public void BehindAnObstacleAndOfAnotherServerNothingIsDrawn()
        {
            Connect();
            Put(Frame(1, 990));
            link.Step(0);
            link.Inbox.Read(1_000 * Ms, Facts("self-test failed"), view);
            Assert.That((view.Display, view.Reason), Is.EqualTo((ToolDisplay.Hidden, "self-test failed")));
            link.Inbox.Read(1_000 * Ms, new Server(5).Facts(default, 0, Server.Welcome()), view);
            Assert.That((view.Display, view.Data), Is.EqualTo((ToolDisplay.Hidden, (UltrasoundData?)null)));
            Assert.That(Read(1_000).Display, Is.EqualTo(ToolDisplay.Shown));
        }

        [Test]
        public void NoiseIsRefusedAndWhatWasThereStays()
        {
            Connect();
            Put(Frame(1, 990));
            link.Step(0);
            transport.Sockets[Endpoint].Put(new byte[] { 1, 2, 3 });
            var broken = server.Message(Frame(2, 995));
            transport.Sockets[Endpoint].Put(broken.AsSpan(0, broken.Length - 1).ToArray());
            link.Step(0);
            Assert.That((link.Counts.Refused, Read(1_000).Data!.Number), Is.EqualTo((2UL, 1UL)));
        }

        private UltrasoundView Read(long displayMs)
        {
            link.Inbox.Read(displayMs * Ms, Facts(""), view);
            return view;
        }

        private ServerFacts Facts(string obstacle) => server.Facts(default, 0, Server.Welcome(), obstacle);

        private void Connect()
        {
            link.Allow(Endpoint, Token);
            link.Step(0);
            Asked();
        }

        private void Put(IMessage message) => transport.Sockets[Endpoint].Put(server.Message(message));

        private System.Collections.Generic.List<UltrasoundRequest> Asked()
        {
            return transport.Sockets[Endpoint].TakeSent().OfType<UltrasoundRequest>().ToList();
        }

        private static UltrasoundFrame Frame(ulong number, long showsMs)
        {
            return new UltrasoundFrame
            {
                Number = number,
                ShowsNs = showsMs * Ms,
                Source = "a probe",
                State = "usable",
                WidthPx = 640,
                HeightPx = 480,
                Placing = Validity.Valid,
                ToFrame = "ct",
                FirstPixelM = new[] { 0.1, 0.2, 0.3 },
                AlongXM = new[] { 0.0001, 0.0, 0.0 },
                AlongYM = new[] { 0.0, 0.0, -0.0001 },
            };
        }
    }
}
