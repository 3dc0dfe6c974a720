#nullable enable
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class ObservationSenderTests
    {
        private readonly Server server = new Server();
        private ObservationSender sender = new ObservationSender();

        [SetUp]
        public void Begin() => sender = new ObservationSender();

        [Test]
        public void AnImageIsSentOnceWithItsTimesOnTheServersClock()
        {
            var stylus = Seen("stylus");
            stylus.SeenNs = 4_000;
            Assert.That(sender.TryPut("place-1", 5_000, new[] { stylus, Lost("drill") }), Is.Empty);
            Assert.That(sender.TryTake(Facts(aheadNs: 70, errorNs: 3), out var sent), Is.True);
            Assert.That((sent.Frame, sent.Anchor, sent.Number), Is.EqualTo(("headset", "place-1", 1UL)));
            Assert.That((sent.SeenNs, sent.ClockErrorNs), Is.EqualTo((5_070L, 3L)));
            Assert.That(sent.Tools.Select(tool => tool.SeenNs), Is.EqualTo(new long?[] { 4_070, null }));
            Assert.That(sender.TryTake(Facts(), out _), Is.False);
        }

        [Test]
        public void ANewerImageTakesThePlaceOfOneThatWaitsAndTheGapShows()
        {
            sender.TryPut("place-1", 1, new[] { Seen("stylus") });
            sender.TryPut("place-1", 2, new[] { Seen("stylus") });
            Assert.That(sender.TryTake(Facts(), out var sent), Is.True);
            Assert.That((sent.SeenNs, sent.Number, sender.Replaced), Is.EqualTo((2L, 2UL, 1L)));
        }

        [Test]
        public void NothingIsSentBeforeTheClocksAreCompared()
        {
            sender.TryPut("place-1", 1, new[] { Seen("stylus") });
            Assert.That(sender.TryTake(new ServerFacts("waiting"), out _), Is.False);
            Assert.That(sender.TryTake(Facts(), out _), Is.True);
        }

        [Test]
        public void WhatCanNeverBeSentIsSaidAndNotKept()
        {
            var lostWithPose = Seen("stylus");
            lostWithPose.Validity = Validity.Lost;
            var validWithout = Lost("stylus");
            validWithout.Validity = Validity.Valid;
            var unset = Seen("stylus");
            unset.PositionM = new double[] { 0, 0, 0 };
            unset.RotationXyzw = new double[] { 0, 0, 0, 1 };
            Assert.That(Trouble(lostWithPose), Does.Contain("valid or suspect"));
            Assert.That(Trouble(validWithout), Does.Contain("valid or suspect"));
            Assert.That(Trouble(unset), Does.Contain("exactly the identity"));
            Assert.That(Trouble(Seen("stylus"), Seen("stylus")), Does.Contain("twice"));
            Assert.That(Trouble(Enumerable.Range(0, 65).Select(at => Lost($"tool {at}")).ToArray()), Does.Contain("64 at most"));
            Assert.That(sender.TryPut("", 1, new[] { Seen("stylus") }), Does.Contain("anchor"));
            Assert.That(sender.TryTake(Facts(), out _), Is.False);
        }

        [Test]
        public void AStillTipIsItsMeanAndSpread()
        {
            var held = new HeldTip(3);
            held.Add(new Double3 { X = 9 });
            held.Add(new Double3 { X = 0.001, Y = 1 });
            Assert.That(held.IsFull, Is.False);
            held.Add(new Double3 { X = 0.002, Y = 1 });
            held.Add(new Double3 { X = 0.003, Y = 1 });
            var mean = held.Mean(out double spreadMm);
            Assert.That((held.IsFull, held.Count), Is.EqualTo((true, 3)));
            Assert.That(mean.X, Is.EqualTo(0.002).Within(1e-12));
            Assert.That(mean.Y, Is.EqualTo(1).Within(1e-12));
            Assert.That(spreadMm, Is.EqualTo(System.Math.Sqrt(2.0 / 3.0)).Within(1e-9));
        }

        private string Trouble(params ObservedTool[] tools) => sender.TryPut("place-1", 1, tools);

        private ServerFacts Facts(long aheadNs = 0, long errorNs = 0)
        {
            return server.Facts(new ClockOffset(aheadNs, errorNs), 1_000_000, Server.Welcome());
        }

        private static ObservedTool Seen(string name)
        {
            return new ObservedTool
            {
                Tool = name,
                Validity = Validity.Valid,
                PositionM = new[] { 0.1, -0.2, 1.5 },
                RotationXyzw = new[] { 0.5, -0.5, 0.5, 0.5 },
            };
        }

        private static ObservedTool Lost(string name)
        {
            return new ObservedTool { Tool = name, Validity = Validity.Lost, Reason = "covered" };
        }
    }
}
