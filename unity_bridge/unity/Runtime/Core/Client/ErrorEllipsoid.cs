#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Where an origin is with a probability of 95 %: the ellipsoid of its error's covariance about where it is shown. Its
    /// axes are those of the covariance.
    /// </summary>
    public readonly struct ErrorEllipsoid
    {
        /// <summary>The 95 % quantile of chi-square with 3 degrees of freedom: the square of so many standard deviations.</summary>
        private const double ChiSquare95 = 7.814727903251179;

        /// <summary>Cyclic Jacobi converges quadratically: a 3 x 3 matrix needs five or six.</summary>
        private const int Sweeps = 12;

        private ErrorEllipsoid(in Float3 semiAxesM, in Float4 rotationXyzw)
        {
            SemiAxesM = semiAxesM;
            RotationXyzw = rotationXyzw;
        }

        /// <summary>Half its extent along its own x, y and z, in no order.</summary>
        public Float3 SemiAxesM { get; }

        /// <summary>A unit quaternion that turns x, y and z onto its principal axes.</summary>
        public Float4 RotationXyzw { get; }

        /// <summary>False where the covariance is not known, which is all zeros: there is no ellipsoid, not one of size 0.</summary>
        public static bool TryOf(in CovarianceRecord covariance, out ErrorEllipsoid ellipsoid)
        {
            ellipsoid = default;
            double xx = covariance.VariancesMm2.X;
            double yy = covariance.VariancesMm2.Y;
            double zz = covariance.VariancesMm2.Z;
            if (!(xx + yy + zz > 0.0)) // so that NaN is not known either
            {
                return false;
            }

            double yz = covariance.CovariancesMm2.X;
            double zx = covariance.CovariancesMm2.Y;
            double xy = covariance.CovariancesMm2.Z;
            var turn = new Float4 { W = 1.0f };
            for (int sweep = 0; sweep < Sweeps; sweep++)
            {
                turn = PoseMath.Multiply(turn, AboutZ(Diagonalise(ref xx, ref yy, ref xy, ref zx, ref yz)));
                turn = PoseMath.Multiply(turn, AboutX(Diagonalise(ref yy, ref zz, ref yz, ref xy, ref zx)));
                turn = PoseMath.Multiply(turn, AboutY(Diagonalise(ref zz, ref xx, ref zx, ref yz, ref xy)));
            }

            ellipsoid = new ErrorEllipsoid(new Float3 { X = SemiAxisM(xx), Y = SemiAxisM(yy), Z = SemiAxisM(zz) }, turn);
            return true;
        }

        /// <summary>
        /// One Jacobi rotation in the plane of p and q (Golub and Van Loan, Matrix Computations, section 8.5): makes pq zero
        /// and turns rp and rq, with r the third axis. The angle turns from p to q.
        /// </summary>
        private static double Diagonalise(ref double pp, ref double qq, ref double pq, ref double rp, ref double rq)
        {
            if (pq == 0.0)
            {
                return 0.0;
            }

            double tau = (qq - pp) / (2.0 * pq);
            double tangent = (tau < 0.0 ? -1.0 : 1.0) / (Math.Abs(tau) + Math.Sqrt(1.0 + (tau * tau)));
            double cosine = 1.0 / Math.Sqrt(1.0 + (tangent * tangent));
            double sine = tangent * cosine;
            pp -= tangent * pq;
            qq += tangent * pq;
            pq = 0.0;
            double before = rp;
            rp = (cosine * before) - (sine * rq);
            rq = (sine * before) + (cosine * rq);
            return -Math.Atan(tangent);
        }

        private static Float4 AboutX(double angle) => new Float4 { X = (float)Math.Sin(angle / 2), W = (float)Math.Cos(angle / 2) };

        private static Float4 AboutY(double angle) => new Float4 { Y = (float)Math.Sin(angle / 2), W = (float)Math.Cos(angle / 2) };

        private static Float4 AboutZ(double angle) => new Float4 { Z = (float)Math.Sin(angle / 2), W = (float)Math.Cos(angle / 2) };

        /// <summary>A variance may be below zero by rounding.</summary>
        private static float SemiAxisM(double varianceMm2) => (float)(1e-3 * Math.Sqrt(ChiSquare95 * Math.Max(0.0, varianceMm2)));
    }
}
