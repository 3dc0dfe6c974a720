#nullable enable
using System;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    /// <summary>The server's clock is 5 s ahead; the tool moves 1 m/s along x and turns 1 rad/s.</summary>
    public sealed class PoseBufferTests
    {
        private const long AheadNs = 5_000 * Ms;
        private const double Tolerance = 1e-6;

        /// <summary>In a batch of Server.Batch: header, field, table, and 16 bytes of the record.</summary>
        private const int FirstCaptureAt = 64 + 6 + 4 + 16;
        private readonly Server server = new Server();
        private readonly PoseFrame frame = new PoseFrame();
        private PoseBuffer buffer = new PoseBuffer(new ClientSettings());
        private ServerFacts facts = new ServerFacts("");
        private ulong number;

        [SetUp]
        public void Begin()
        {
            buffer = new PoseBuffer(new ClientSettings());
            facts = Facts(server);
            number = 0;
        }

        [Test]
        public void BetweenTwoBatchesIsInterpolated()
        {
            var settings = new ClientSettings { DisplayDelayMs = 15.0 };
            buffer = new PoseBuffer(settings);
            Move(0, 10, 20);
            var view = ReadAt(20); // shows the moment 5 ms
            Assert.That(view.Source, Is.EqualTo(PoseSource.Interpolated));
            Assert.That(view.PositionM.X, Is.EqualTo(0.005).Within(Tolerance));
            Assert.That(Angle(view), Is.EqualTo(0.005).Within(Tolerance));
            Assert.That(view.AgeNs, Is.EqualTo(15 * Ms), "the newest pose is of now, but not what is drawn");
            Assert.That(view.Display, Is.EqualTo(ToolDisplay.Shown));
        }

        [TestCase(0.0, 0.020)]
        [TestCase(5.0, 0.025)]
        [TestCase(30.0, 0.050)]
        public void BeyondTheNewestIsPredictedAtConstantVelocity(double laterMs, double expected)
        {
            Move(0, 10, 20);
            var view = ReadAt(20 + laterMs);
            Assert.That(view.PositionM.X, Is.EqualTo(expected).Within(Tolerance));
            Assert.That(Angle(view), Is.EqualTo(expected).Within(Tolerance));
            Assert.That(view.Source, Is.EqualTo(laterMs > 0 ? PoseSource.Predicted : PoseSource.Interpolated));
        }

        [TestCase(45.0, 0.045, PoseSource.Predicted)]
        [TestCase(50.0, 0.050, PoseSource.Predicted)]
        [TestCase(70.0, 0.050, PoseSource.Frozen)]
        public void WhatTheServerHasPredictedIsNotPredictedAgain(double displayMs, double expected, PoseSource source)
        {
            foreach (double ms in new[] { 0.0, 10.0, 20.0 })
            {
                var tool = TestTool.At((float)((ms + 30.0) * 1e-3), (ms + 30.0) * 1e-3);
                tool.AheadMs = 30.0f;
                tool.DelayMs = 4.0f;
                Put(ms, tool);
            }

            var view = ReadAt(displayMs);
            Assert.That(view.PositionM.X, Is.EqualTo(expected).Within(Tolerance));
            Assert.That(Angle(view), Is.EqualTo(expected).Within(Tolerance));
            Assert.That(view.Source, Is.EqualTo(source));
            Assert.That(view.FilterDelayMs, Is.EqualTo(4.0f));
            Assert.That(view.AgeNs, Is.EqualTo((long)((displayMs - 20.0) * Ms)), "as old as what the sensor saw");
            Assert.That(ReadAt(20 + 101).Validity, Is.EqualTo(Validity.Stale));
            Assert.That(ReadAt(20 + 251).Validity, Is.EqualTo(Validity.Lost));
        }

        [Test]
        public void OfPosesThatTheServerNoLongerPredictsTheVelocityIsTakenAlone()
        {
            foreach (double ms in new[] { 0.0, 10.0 })
            {
                var tool = TestTool.At((float)((ms + 30.0) * 1e-3), (ms + 30.0) * 1e-3);
                tool.AheadMs = 30.0f;
                Put(ms, tool);
            }

            Put(20, TestTool.At(0.020f, 0.020));
            var view = ReadAt(25);
            Assert.That(view.Source, Is.EqualTo(PoseSource.Frozen), "one pose has no velocity");
            Assert.That(view.PositionM.X, Is.EqualTo(0.020).Within(Tolerance));
            Put(30, TestTool.At(0.030f, 0.030));
            Assert.That(ReadAt(35).PositionM.X, Is.EqualTo(0.035).Within(Tolerance));
        }

        [Test]
        public void PredictionIsCappedThenFrozenThenStaleThenHidden()
        {
            Move(0, 10, 20);
            var frozen = ReadAt(80);
            Assert.That(frozen.Source, Is.EqualTo(PoseSource.Frozen));
            Assert.That(frozen.Display, Is.EqualTo(ToolDisplay.Shown));
            Assert.That(frozen.PositionM.X, Is.EqualTo(0.050).Within(Tolerance), "30 ms at 1 m/s beyond the last");
            var stale = ReadAt(20 + 101);
            Assert.That((stale.Display, stale.Validity), Is.EqualTo((ToolDisplay.Greyed, Validity.Stale)));
            Assert.That(stale.Reason, Is.EqualTo("the newest pose is 101 ms old"));
            Assert.That(stale.AgeNs, Is.EqualTo(101 * Ms));
            var hidden = ReadAt(20 + 251);
            Assert.That((hidden.Display, hidden.Validity), Is.EqualTo((ToolDisplay.Hidden, Validity.Lost)));
            AssertNoPose(hidden);
            Assert.That((frame.Validity, frame.Reason), Is.EqualTo((Validity.Lost, "the newest pose is 251 ms old")));
        }

        [Test]
        public void TheClocksBoundCountsAsAge()
        {
            facts = Facts(server, errorNs: 60 * Ms);
            Move(0, 10, 20);
            Assert.That(ReadAt(20 + 39).Validity, Is.EqualTo(Validity.Valid));
            Assert.That(ReadAt(20 + 41).Validity, Is.EqualTo(Validity.Stale), "41 ms, and 60 ms that nobody knows");
        }

        [Test]
        public void ALostToolHasNoPoseWhateverCameBefore()
        {
            Move(0, 10);
            Put(20, TestTool.Lost("covered"));
            var view = ReadAt(21);
            Assert.That((view.Display, view.Validity, view.Reason), Is.EqualTo((ToolDisplay.Hidden, Validity.Lost, "covered")));
            AssertNoPose(view);
        }

        [Test]
        public void NothingIsDrawnAcrossALoss()
        {
            var settings = new ClientSettings { DisplayDelayMs = 15.0 };
            buffer = new PoseBuffer(settings);
            Move(0);
            Put(10, TestTool.Lost("covered"));
            Put(20, TestTool.At(1.0f));
            Assert.That(ReadAt(25).PositionM.X, Is.EqualTo(1.0f), "not between 0 and 1");
            Assert.That(ReadAt(45).PositionM.X, Is.EqualTo(1.0f), "nor with the speed of the jump");
        }

        [Test]
        public void NothingIsDrawnAcrossAnotherRegistration()
        {
            Put(0, new TestTool { X = 0.0f, Registration = "first" });
            Put(10, new TestTool { X = 1.0f, Registration = "second" });
            var view = ReadAt(20);
            Assert.That(view.PositionM.X, Is.EqualTo(1.0f));
            Assert.That(view.RegistrationId, Is.EqualTo("second"));
        }

        [Test]
        public void PosesThatAreFarApartAreNotInterpolated()
        {
            buffer = new PoseBuffer(new ClientSettings { DisplayDelayMs = 100.0 });
            Put(0, TestTool.At(0.0f));
            Put(150, TestTool.At(1.0f));
            Assert.That(ReadAt(175).PositionM.X, Is.EqualTo(0.0f), "at 75 ms, between two that are 150 ms apart");
        }

        [TestCase(Validity.Suspect, ToolDisplay.Greyed)]
        [TestCase(Validity.Stale, ToolDisplay.Greyed)]
        [TestCase(Validity.Lost, ToolDisplay.Hidden)]
        public void TheHeadersValidityHoldsForEverything(Validity validity, ToolDisplay display)
        {
            Move(0);
            Add(server.Batch(++number, 10 * Ms + AheadNs, validity, "the reference is covered", 0, TestTool.At(0.01f)), 10);
            var view = ReadAt(11);
            Assert.That((view.Display, view.Validity), Is.EqualTo((display, validity)));
            Assert.That(view.Reason, Is.EqualTo("the reference is covered"));
            Assert.That((frame.Validity, frame.Reason), Is.EqualTo((validity, "the reference is covered")));
            if (display == ToolDisplay.Hidden)
            {
                AssertNoPose(view);
            }
        }

        [Test]
        public void AStaleToolIsNotPredicted()
        {
            Move(0, 10);
            Put(20, new TestTool { X = 0.01f, AngleRad = 0.01, CaptureNs = 10 * Ms + AheadNs, Validity = Validity.Stale, Reason = "silent" });
            var view = ReadAt(30);
            Assert.That((view.Source, view.Display), Is.EqualTo((PoseSource.Frozen, ToolDisplay.Greyed)));
            Assert.That(view.PositionM.X, Is.EqualTo(0.01).Within(Tolerance));
            Assert.That(view.AgeNs, Is.EqualTo(20 * Ms), "of the pose, not of the batch");
        }

        [Test]
        public void RepeatedAndOlderBatchesAreDropped()
        {
            Move(0, 10);
            number = 0;
            Assert.That(Put(20, TestTool.At(9.0f)), Is.False, "number 1 again");
            Assert.That(ReadAt(10).PositionM.X, Is.EqualTo(0.01).Within(Tolerance));
        }

        [Test]
        public void ANewSessionForgetsTheOldOne()
        {
            Move(0, 10);
            var other = new Server(77);
            Assert.That(buffer.Add(Decoded(other.Batch(1, 12 * Ms, TestTool.At(5.0f))), facts, 12 * Ms), Is.False);
            buffer.Read(13 * Ms, facts, frame);
            Assert.That((frame.Count, frame.Validity), Is.EqualTo((0, Validity.Lost)), "not welcomed by it yet");
            Assert.That(frame.Reason, Does.Contain("started anew"));
            facts = Facts(other);
            Assert.That(buffer.Add(Decoded(other.Batch(2, 14 * Ms + AheadNs, TestTool.At(5.0f))), facts, 14 * Ms), Is.True);
            Assert.That(ReadAt(14).PositionM.X, Is.EqualTo(5.0f));
            Assert.That(Put(16, TestTool.At(0.0f)), Is.False, "the old session does not come back");
        }

        [Test]
        public void TimesOfAnotherClockAreRefused()
        {
            Add(server.Batch(++number, 10 * Ms + AheadNs, Validity.Valid, "", 1234, TestTool.At(1.0f)), 10);
            buffer.Read(10 * Ms, facts, frame);
            Assert.That((frame.Count, frame.Validity), Is.EqualTo((0, Validity.Lost)));
        }

        [Test]
        public void APoseOfTheFutureIsNotShown()
        {
            Move(0);
            Put(10, new TestTool { X = 1.0f, CaptureNs = 10_000 * Ms + AheadNs });
            var view = ReadAt(11);
            Assert.That((view.Display, view.Validity), Is.EqualTo((ToolDisplay.Hidden, Validity.Lost)));
            Assert.That(view.Reason, Does.Contain("future"));
        }

        [Test]
        public void AnObstacleHidesAllAndSaysWhy()
        {
            Move(0, 10);
            facts = Facts(server, obstacle: "the self-test is under way");
            var view = ReadAt(10);
            Assert.That((view.Display, view.Reason), Is.EqualTo((ToolDisplay.Hidden, "the self-test is under way")));
            AssertNoPose(view);
        }

        [Test]
        public void AToolThatIsNoLongerThereGoes()
        {
            Move(0);
            Put(10, new TestTool { Name = "drill", FromFrame = "drill" });
            buffer.Read(10 * Ms, facts, frame);
            Assert.That(frame.TryFind("stylus", out _), Is.False);
            Assert.That(frame.TryFindFrame("drill", out var drill), Is.True);
            Assert.That(drill.Tool, Is.EqualTo("drill"));
        }

        [Test]
        public void ErrorsAndRotationsComeThrough()
        {
            Put(0, new TestTool { X = 1.0f, ErrorMm = 0.7f, AngleRad = 2.0 });
            var view = ReadAt(0);
            Assert.That((view.HasExpectedError, view.ExpectedErrorMm), Is.EqualTo((true, 0.7f)));
            Assert.That(Angle(view), Is.EqualTo(2.0).Within(Tolerance));
        }

        [Test]
        public void TheShorterArcIsTaken()
        {
            var one = new Float4 { Z = (float)Math.Sin(0.1), W = (float)Math.Cos(0.1) };
            var same = new Float4 { Z = -(float)Math.Sin(0.2), W = -(float)Math.Cos(0.2) };
            var half = PoseMath.Slerp(one, same, 0.5);
            Assert.That(2.0 * Math.Atan2(half.Z, half.W), Is.EqualTo(0.3).Within(1e-6));
        }

        /// <summary>30 tools at 200 Hz, drawn at 90 Hz, for minutes: not one byte for the garbage collector.</summary>
        [TestCase(ToolDisplay.Shown)]
        [TestCase(ToolDisplay.Hidden)] // the poses stand still, and grow old: another age in the reason of each frame
        public void PosesMakeNoGarbage(ToolDisplay display)
        {
            var tools = new TestTool[30];
            for (int index = 0; index < tools.Length; index++)
            {
                tools[index] = new TestTool { Name = $"tool {index}", FromFrame = $"tool_{index}", X = index, Reason = "" };
            }

            var bytes = server.Batch(1, 0, tools);
            var decoder = new PoseBatchDecoder();
            var ring = new BatchRing();
            Run(decoder, ring, bytes, 1, 1000, display);
            int collections = GC.CollectionCount(0);
            long before = GC.GetAllocatedBytesForCurrentThread();
            double sum = Run(decoder, ring, bytes, 1001, 20_000, display);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.That(sum, Is.GreaterThan(20_000 * 30 * 1e9), "all of them in every frame");
            Assert.That(allocated, Is.EqualTo(0));
            Assert.That(GC.CollectionCount(0), Is.EqualTo(collections), "Mono counts no bytes, but collections");
        }

        private static ServerFacts Facts(Server server, long errorNs = 0, string obstacle = "")
        {
            return server.Facts(new ClockOffset(AheadNs, errorNs), 0, Server.Welcome(), obstacle);
        }

        private static PoseBatch Decoded(byte[] message)
        {
            var batch = new PoseBatch();
            new PoseBatchDecoder().Decode(message, batch);
            return batch;
        }

        private static double Angle(in ToolView view) => 2.0 * Math.Atan2(view.RotationXyzw.Z, view.RotationXyzw.W);

        private static void AssertNoPose(in ToolView view)
        {
            Assert.That(view.Source, Is.EqualTo(PoseSource.None));
            var q = view.RotationXyzw;
            Assert.That(view.PositionM.X == 0.0f && q.X == 0.0f && q.Y == 0.0f && q.Z == 0.0f && q.W == 0.0f, Is.True);
        }

        private double Run(
            PoseBatchDecoder decoder, BatchRing ring, byte[] bytes, ulong from, int batches, ToolDisplay display)
        {
            double sum = 0.0;
            for (int count = 0; count < batches; count++)
            {
                long atNs = ((long)from + count) * 5 * Ms;
                WireBytes.WriteU64(bytes, 16, from + (ulong)count);
                WireBytes.WriteI64(bytes, 24, atNs + AheadNs);
                for (int record = 0; record < 30 && display == ToolDisplay.Shown; record++)
                {
                    WireBytes.WriteI64(bytes, FirstCaptureAt + (record * ToolRecord.Size), atNs + AheadNs);
                }

                var batch = ring.Lend();
                decoder.Decode(bytes, batch);
                ring.Publish();
                for (var next = ring.Peek(); next != null; next = ring.Peek())
                {
                    buffer.Add(next, facts, atNs);
                    ring.Release();
                }

                buffer.Read(atNs + (3 * Ms), facts, frame);
                foreach (var view in frame.Tools)
                {
                    sum += view.PositionM.X + view.Tool.Length + view.Reason.Length + (view.Display == display ? 1e9 : 0.0);
                }
            }

            return sum;
        }

        private void Move(params double[] atMs)
        {
            foreach (double ms in atMs)
            {
                Put(ms, TestTool.At((float)(ms * 1e-3), ms * 1e-3));
            }
        }

        private bool Put(double atMs, params TestTool[] tools)
        {
            return Add(server.Batch(++number, (long)(atMs * Ms) + AheadNs, tools), atMs);
        }

        private bool Add(byte[] message, double atMs) => buffer.Add(Decoded(message), facts, (long)(atMs * Ms));

        private ToolView ReadAt(double displayMs)
        {
            buffer.Read((long)(displayMs * Ms), facts, frame);
            Assert.That(frame.Count, Is.EqualTo(1));
            return frame.Tools[0];
        }
    }
}
