#nullable enable
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    /// <summary>What is old is not valid, whatever its message says: docs/unity_bridge/protocol.md, section 4, "Age".</summary>
    public sealed class PoseAgeTests
    {
        /// <summary>As in the page's example: the server's clock is 5 s ahead, to 2 ms.</summary>
        private const long AheadNs = 5_000 * Ms;
        private const long BoundNs = 2 * Ms;
        private readonly Server server = new Server();
        private readonly PoseFrame frame = new PoseFrame();
        private PoseBuffer buffer = new PoseBuffer(new ClientSettings());
        private ulong number;

        [SetUp]
        public void Begin()
        {
            buffer = new PoseBuffer(new ClientSettings());
            number = 0;
        }

        [Test]
        public void ThePagesExample()
        {
            var facts = Facts(comparedMs: 10_000);
            Put(14_950, 10_000, facts);
            AssertView(ReadAt(10_000, facts), Validity.Valid, 52, "");
            AssertView(ReadAt(10_050, facts), Validity.Stale, 102, "the newest pose is 102 ms old");
            AssertView(ReadAt(10_199, facts), Validity.Lost, 251, "the newest pose is 251 ms old");
            buffer = new PoseBuffer(new ClientSettings());
            Put(9_200, 10_200, facts); // a link that was held up
            AssertView(ReadAt(10_200, facts), Validity.Lost, 6_002, "the newest pose is 6.0 s old");
        }

        [Test]
        public void ABacklogIsNeverValidInFastForward()
        {
            var facts = Facts(comparedMs: 20_000);
            for (int late = 0; late < 600; late++)
            {
                // Six seconds of poses, handed over within 60 ms; what is current is none of them.
                double atMs = 20_000 + (0.1 * late);
                Put(19_000 + (10 * late) + 5_000 - 6_000, atMs, facts);
                var view = ReadAt(atMs, facts);
                Assert.That(view.Validity, Is.Not.EqualTo(Validity.Valid));
                Assert.That(view.AgeNs, Is.GreaterThan(900 * Ms));
            }
        }

        [TestCase(80.0, 200.0, null, null, 80, 200)]
        [TestCase(null, null, null, null, 100, 250)]
        [TestCase(80.0, 200.0, 50.0, 120.0, 50, 120)]
        [TestCase(80.0, 200.0, 500.0, 1000.0, 80, 200)]
        [TestCase(null, null, 500.0, 1000.0, 100, 250)]
        [TestCase(-1.0, double.MaxValue, null, null, 0, 86_400_000)]
        public void TheStricterOfServerAndApplicationCounts(
            double? staleMs, double? lostMs, double? ownStaleMs, double? ownLostMs, long staleFromMs, long lostFromMs)
        {
            var welcome = Server.Welcome();
            welcome.PoseStaleAfterMs = staleMs;
            welcome.PoseLostAfterMs = lostMs;
            var ages = PoseAges.Of(new ClientSettings { StaleAfterMs = ownStaleMs, HideAfterMs = ownLostMs }, welcome);
            Assert.That(ages.Judge(staleFromMs * Ms), Is.EqualTo(Validity.Valid));
            Assert.That(ages.Judge((staleFromMs * Ms) + 1), Is.EqualTo(Validity.Stale));
            Assert.That(ages.Judge(lostFromMs * Ms), Is.EqualTo(Validity.Stale));
            Assert.That(ages.Judge((lostFromMs * Ms) + 1), Is.EqualTo(Validity.Lost));
        }

        [Test]
        public void AgesThatNobodyHasSetLetNothingBeValid()
        {
            Assert.That(default(PoseAges).Judge(1), Is.EqualTo(Validity.Lost));
        }

        [Test]
        public void TheBoundGrowsWhileTheClocksAreNotCompared()
        {
            var facts = Facts(comparedMs: 0);
            Put(1_000_000 + 5_000, 1_000_000, facts); // 1000 s later: 50 ms more
            Assert.That(ReadAt(1_000_000, facts).AgeNs, Is.EqualTo(52 * Ms));
            Assert.That(ReadAt(1_000_047, facts).Validity, Is.EqualTo(Validity.Valid));
            Assert.That(ReadAt(1_000_049, facts).Validity, Is.EqualTo(Validity.Stale));
            var shared = server.Facts(default, 0, Server.Welcome());
            Assert.That(shared.ErrorNsAt(1_000_000 * Ms), Is.EqualTo(0), "one clock does not drift from itself");
        }

        [Test]
        public void PredictionDoesNotMakeAPoseYounger()
        {
            var settings = new ClientSettings { PredictionCapMs = 200.0 };
            buffer = new PoseBuffer(settings);
            var facts = Facts(comparedMs: 10_000);
            Put(14_990, 9_990, facts);
            Put(15_000, 10_000, facts);
            var view = ReadAt(10_099, facts);
            Assert.That(view.Source, Is.EqualTo(PoseSource.Predicted));
            AssertView(view, Validity.Stale, 101, "the newest pose is 101 ms old");
        }

        [Test]
        public void WhatIsShownLateOnPurposeIsThatOld()
        {
            buffer = new PoseBuffer(new ClientSettings { DisplayDelayMs = 150.0 });
            var facts = Facts(comparedMs: 10_000);
            Put(14_850, 9_850, facts);
            Put(15_000, 10_000, facts);
            AssertView(ReadAt(10_000, facts), Validity.Stale, 152, "the newest pose is 152 ms old");
        }

        [Test]
        public void AServersStaleToolKeepsItsWordsUntilItsAgeIsWorse()
        {
            var facts = Facts(comparedMs: 10_000);
            Add(15_000, 10_000, facts, new TestTool { Validity = Validity.Stale, Reason = "silent", CaptureNs = 14_850 * Ms });
            AssertView(ReadAt(10_000, facts), Validity.Stale, 152, "silent");
            Add(15_099, 10_099, facts, new TestTool { Validity = Validity.Stale, Reason = "silent", CaptureNs = 14_850 * Ms });
            AssertView(ReadAt(10_099, facts), Validity.Lost, 251, "the newest pose is 251 ms old");
        }

        [Test]
        public void AClockThatWasSetBackMakesNothingValidForEver()
        {
            var facts = Facts(comparedMs: 10_000);
            Put(15_000, 10_000, facts);
            var setBack = server.Facts(new ClockOffset(AheadNs - (60_000 * Ms), BoundNs), 10_000 * Ms, Server.Welcome());
            var view = ReadAt(10_010, setBack);
            Assert.That((view.Validity, view.Display), Is.EqualTo((Validity.Lost, ToolDisplay.Hidden)));
            Assert.That(view.Reason, Does.Contain("future"));
        }

        [Test]
        public void BeforeTheClocksAreComparedNothingIsShown()
        {
            var facts = new ServerFacts("the clocks are being compared");
            buffer.Add(Decoded(server.Batch(1, 15_000 * Ms, TestTool.At(0.0f))), facts, 10_000 * Ms);
            buffer.Read(10_000 * Ms, facts, frame);
            Assert.That((frame.Validity, frame.Reason), Is.EqualTo((Validity.Lost, "the clocks are being compared")));
            Assert.That(frame.Tools.ToArray().All(view => view.Display == ToolDisplay.Hidden), Is.True);
        }

        [TestCase(102, "102 ms")]
        [TestCase(999, "999 ms")]
        [TestCase(6_002, "6.0 s")]
        [TestCase(59_999, "59.9 s")]
        [TestCase(119_000, "1 min")]
        public void AgesInWords(long ms, string expected)
        {
            Assert.That(AgeWords.Of(ms * Ms), Is.EqualTo($"the newest pose is {expected} old"));
            Assert.That(AgeWords.Of(ms * Ms), Is.SameAs(AgeWords.Of(ms * Ms)), "no garbage");
        }

        [Test]
        public void AgesOfHoursInWords()
        {
            Assert.That(AgeWords.Of(long.MaxValue), Is.EqualTo("the newest pose is more than an hour old"));
        }

        private static void AssertView(in ToolView view, Validity validity, double ageMs, string reason)
        {
            var display = validity == Validity.Valid ? ToolDisplay.Shown
                : validity == Validity.Stale ? ToolDisplay.Greyed : ToolDisplay.Hidden;
            // The drift of the bound: 50 us a second.
            Assert.That(view.AgeNs / (double)Ms, Is.EqualTo(ageMs).Within(0.05));
            Assert.That((view.Validity, view.Display, view.Reason), Is.EqualTo((validity, display, reason)));
        }

        private static PoseBatch Decoded(byte[] message)
        {
            var batch = new PoseBatch();
            new PoseBatchDecoder().Decode(message, batch);
            return batch;
        }

        private ServerFacts Facts(double comparedMs)
        {
            return server.Facts(new ClockOffset(AheadNs, BoundNs), (long)(comparedMs * Ms), Server.Welcome());
        }

        /// <summary>A pose of one tool.</summary>
        /// <param name="capturedMs">On the server's clock.</param>
        /// <param name="atMs">When it came, on the client's.</param>
        /// <param name="facts">Of the server.</param>
        private void Put(double capturedMs, double atMs, ServerFacts facts)
        {
            Add(capturedMs, atMs, facts, TestTool.At((float)(capturedMs % 1000 * 1e-3)));
        }

        private void Add(double capturedMs, double atMs, ServerFacts facts, TestTool tool)
        {
            var message = server.Batch(++number, (long)(capturedMs * Ms), tool);
            Assert.That(buffer.Add(Decoded(message), facts, (long)(atMs * Ms)), Is.True);
        }

        private ToolView ReadAt(double displayMs, ServerFacts facts)
        {
            buffer.Read((long)(displayMs * Ms), facts, frame);
            Assert.That(frame.Count, Is.EqualTo(1));
            return frame.Tools[0];
        }
    }
}
