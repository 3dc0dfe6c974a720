#nullable enable
using System;
using NUnit.Framework;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using static SurgNav.Core.Tests.FakeClock;

namespace SurgNav.Core.Tests
{
    public sealed class ErrorEllipsoidTests
    {
        private const double Deviations95 = 2.7954834829151074; // scipy: sqrt(chi2.ppf(0.95, 3))
        private const long AheadNs = 5_000 * Ms;
        private static readonly CovarianceRecord Known = Covariance(1.0, 4.0, 9.0, 0.0, 0.0, 0.0);

        [Test]
        public void OfADiagonalCovarianceTheAxesAreTheDeviations()
        {
            Assert.That(ErrorEllipsoid.TryOf(Known, out var ellipsoid), Is.True);
            Assert.That(ellipsoid.SemiAxesM.X, Is.EqualTo(1e-3 * Deviations95).Within(1e-8));
            Assert.That(ellipsoid.SemiAxesM.Y, Is.EqualTo(2e-3 * Deviations95).Within(1e-8));
            Assert.That(ellipsoid.SemiAxesM.Z, Is.EqualTo(3e-3 * Deviations95).Within(1e-8));
            Assert.That(ellipsoid.RotationXyzw.W, Is.EqualTo(1.0f));
        }

        /// <summary>By hand: variance 3 along (1, 1), 1 along (1, -1), in each plane.</summary>
        [TestCase(2.0, 2.0, 5.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)]
        [TestCase(5.0, 2.0, 2.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0)]
        [TestCase(2.0, 5.0, 2.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0)]
        public void AnAxisHalfwayBetweenTwoIsFound(
            double xx, double yy, double zz, double yz, double xz, double xy, double x, double y, double z)
        {
            var direction = new Double3 { X = x / Math.Sqrt(2.0), Y = y / Math.Sqrt(2.0), Z = z / Math.Sqrt(2.0) };
            Assert.That(Along(Covariance(xx, yy, zz, yz, xz, xy), Math.Sqrt(3.0), direction), Is.EqualTo(1.0).Within(1e-6));
        }

        /// <summary>numpy.linalg.eigh of [[4, 1, -0.5], [1, 3, 0.75], [-0.5, 0.75, 2]].</summary>
        [TestCase(1.26993384, 0.33704706, -0.53165728, 0.77700696)]
        [TestCase(3.11160538, -0.39747758, 0.66778781, 0.62934173)]
        [TestCase(4.61846078, 0.85346989, 0.52096063, -0.01375406)]
        public void TheAxesAreThoseOfNumPy(double variance, double x, double y, double z)
        {
            var covariance = Covariance(4.0, 3.0, 2.0, 0.75, -0.5, 1.0);
            var direction = new Double3 { X = x, Y = y, Z = z };
            Assert.That(Along(covariance, Math.Sqrt(variance), direction), Is.EqualTo(1.0).Within(1e-6));
        }

        [Test]
        public void WhatIsNotKnownHasNoEllipsoid()
        {
            Assert.That(ErrorEllipsoid.TryOf(default, out _), Is.False);
            Assert.That(ErrorEllipsoid.TryOf(Covariance(double.NaN, 1.0, 1.0, 0.0, 0.0, 0.0), out _), Is.False);
        }

        [TestCase(0.0, ToolDisplay.Shown, true)]
        [TestCase(20.0, ToolDisplay.Shown, true)]
        [TestCase(80.0, ToolDisplay.Shown, true)]
        [TestCase(120.0, ToolDisplay.Greyed, false)]
        [TestCase(300.0, ToolDisplay.Hidden, false)]
        public void APoseKeepsTheNewestCovarianceWhileItIsValid(double laterMs, ToolDisplay display, bool isKnown)
        {
            var view = After(laterMs, new TestTool { Covariance = default(CovarianceRecord) }, new TestTool { Covariance = Known });
            Assert.That(view.Display, Is.EqualTo(display));
            Assert.That(view.Covariance, Is.EqualTo(isKnown ? Known : default));
        }

        [Test]
        public void ACovarianceGoesWithTheBatchThatDoesNotKnowIt()
        {
            var view = After(0.0, new TestTool { Covariance = Known }, new TestTool());
            Assert.That(view.Display, Is.EqualTo(ToolDisplay.Shown));
            Assert.That(view.Covariance, Is.EqualTo(default(CovarianceRecord)));
        }

        [Test]
        public void OfASuspectToolNoneIsGiven()
        {
            var view = After(0.0, new TestTool { Covariance = Known, Validity = Validity.Suspect });
            Assert.That(view.Display, Is.EqualTo(ToolDisplay.Greyed));
            Assert.That(view.Covariance, Is.EqualTo(default(CovarianceRecord)));
        }

        /// <summary>The view so long after the last of batches that are 10 ms apart.</summary>
        private static ToolView After(double laterMs, params TestTool[] tools)
        {
            var server = new Server();
            var facts = server.Facts(new ClockOffset(AheadNs, 0), 0, Server.Welcome());
            var buffer = new PoseBuffer(new ClientSettings());
            var frame = new PoseFrame();
            long nowNs = 0;
            for (int index = 0; index < tools.Length; index++)
            {
                nowNs = 10 * index * Ms;
                var batch = new PoseBatch();
                new PoseBatchDecoder().Decode(server.Batch((ulong)index + 1, nowNs + AheadNs, tools[index]), batch);
                buffer.Add(batch, facts, nowNs);
            }

            buffer.Read(nowNs + (long)(laterMs * Ms), facts, frame);
            return frame.Tools[0];
        }

        /// <summary>How nearly the axis of this deviation has the direction: 1 if it has, or the opposite one.</summary>
        private static double Along(in CovarianceRecord covariance, double deviationMm, in Double3 direction)
        {
            Assert.That(ErrorEllipsoid.TryOf(covariance, out var found), Is.True);
            double wantedM = 1e-3 * Deviations95 * deviationMm;
            var axes = new[] { found.SemiAxesM.X, found.SemiAxesM.Y, found.SemiAxesM.Z };
            int at = Array.FindIndex(axes, axis => Math.Abs(axis - wantedM) < 1e-7);
            Assert.That(at, Is.GreaterThanOrEqualTo(0), "no axis is that long");
            var own = new Double3 { X = at == 0 ? 1 : 0, Y = at == 1 ? 1 : 0, Z = at == 2 ? 1 : 0 };
            var axis = PoseMath.Rotate(found.RotationXyzw, own);
            return Math.Abs((axis.X * direction.X) + (axis.Y * direction.Y) + (axis.Z * direction.Z));
        }

        private static CovarianceRecord Covariance(double xx, double yy, double zz, double yz, double xz, double xy)
        {
            return new CovarianceRecord
            {
                VariancesMm2 = new Float3 { X = (float)xx, Y = (float)yy, Z = (float)zz },
                CovariancesMm2 = new Float3 { X = (float)yz, Y = (float)xz, Z = (float)xy },
            };
        }
    }
}
