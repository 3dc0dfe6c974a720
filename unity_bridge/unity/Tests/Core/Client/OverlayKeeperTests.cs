#nullable enable
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Tests
{
    public sealed class OverlayKeeperTests
    {
        private const long NowNs = 5_000_000_000;
        private OverlayKeeper keeper = new OverlayKeeper();

        [SetUp]
        public void Begin() => keeper = new OverlayKeeper();

        [Test]
        public void BeforeTheServerHasSaidSoNothingIsShown()
        {
            Assert.That(Reason("room-1"), Does.Contain("has not said"));
            Assert.That(default(Overlay).IsShown, Is.False);
        }

        [Test]
        public void AnAnswerIsShownWhereItHolds()
        {
            keeper.Take(Answer(), NowNs);
            var overlay = keeper.At("room-1", NowNs + OverlayKeeper.SilenceNs);
            Assert.That(overlay.IsShown, Is.True);
            Assert.That((overlay.PositionM.X, overlay.RotationXyzw.W), Is.EqualTo((-0.125f, 0.5f)));
            Assert.That((overlay.ExpectedP95Mm, overlay.Calibrated), Is.EqualTo(((double?)2.5, "today")));
        }

        [Test]
        public void UnderAnotherAnchorNothingIsShown()
        {
            keeper.Take(Answer(), NowNs);
            Assert.That(Reason("room-2"), Does.Contain("placed its world anew"));
            Assert.That(keeper.At("room-2", NowNs).RotationXyzw.W, Is.Zero);
        }

        [Test]
        public void AnAnswerIsNotShownForEver()
        {
            keeper.Take(Answer(), NowNs);
            Assert.That(keeper.At("room-1", NowNs + OverlayKeeper.SilenceNs + 100_000_000).Reason, Does.Contain("for 2.1 s"));
        }

        [Test]
        public void TheServersReasonIsSaid()
        {
            keeper.Take(Answer(), NowNs);
            keeper.Take(new HeadsetAlignment { Validity = Validity.Lost, Reason = "it slept" }, NowNs);
            Assert.That(Reason("room-1"), Is.EqualTo("it slept"));
        }

        [Test]
        public void WhatIsNoPoseEndsTheOneBefore()
        {
            keeper.Take(Answer(), NowNs);
            var stretched = Answer();
            stretched.RotationXyzw = new[] { 0.5, -0.5, 0.5, 0.6 };
            Assert.That(() => keeper.Take(stretched, NowNs), Throws.InstanceOf<WireException>());
            Assert.That(Reason("room-1"), Does.Contain("has not said"));
            var without = Answer();
            without.PositionM = null;
            Assert.That(() => keeper.Take(without, NowNs), Throws.InstanceOf<WireException>());
        }

        private static HeadsetAlignment Answer()
        {
            return new HeadsetAlignment
            {
                Validity = Validity.Valid,
                Anchor = "room-1",
                PositionM = new[] { -0.125, 0.25, 1.5 },
                RotationXyzw = new[] { 0.5, -0.5, 0.5, 0.5 },
                ExpectedP95Mm = 2.5,
                Calibrated = "today",
            };
        }

        private string Reason(string anchor) => keeper.At(anchor, NowNs).Reason;
    }
}
