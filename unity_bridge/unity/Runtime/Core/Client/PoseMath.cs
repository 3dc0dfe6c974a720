#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Positions and unit quaternions as Unity has them (x, y, z, w; Hamilton's product). In double: a pose is made of
    /// several products.
    /// </summary>
    internal static class PoseMath
    {
        /// <summary>Below this sine of half the angle a rotation is too small for its axis to be found by division.</summary>
        private const double SmallSine = 1e-6;

        internal static Float3 Lerp(in Float3 from, in Float3 to, double share)
        {
            return new Float3
            {
                X = (float)(from.X + ((to.X - (double)from.X) * share)),
                Y = (float)(from.Y + ((to.Y - (double)from.Y) * share)),
                Z = (float)(from.Z + ((to.Z - (double)from.Z) * share)),
            };
        }

        /// <summary>
        /// On the shortest arc from one rotation to another, and beyond it for a share above 1: constant angular velocity.
        /// </summary>
        internal static Float4 Slerp(in Float4 from, in Float4 to, double share)
        {
            double dot = ((double)from.X * to.X) + ((double)from.Y * to.Y) + ((double)from.Z * to.Z)
                + ((double)from.W * to.W);
            double sign = dot < 0.0 ? -1.0 : 1.0; // q and -q are one rotation: take the nearer one
            double cosine = Math.Min(1.0, dot * sign);
            double angle = Math.Acos(cosine);
            double sine = Math.Sin(angle);
            double first = 1.0 - share;
            double second = share;
            if (sine > SmallSine)
            {
                first = Math.Sin((1.0 - share) * angle) / sine;
                second = Math.Sin(share * angle) / sine;
            }

            second *= sign;
            return Normalised(
                (first * from.X) + (second * to.X),
                (first * from.Y) + (second * to.Y),
                (first * from.Z) + (second * to.Z),
                (first * from.W) + (second * to.W));
        }

        /// <summary>Unity's Quaternion * Quaternion: first the right one.</summary>
        internal static Float4 Multiply(in Float4 left, in Float4 right)
        {
            double x = left.X;
            double y = left.Y;
            double z = left.Z;
            double w = left.W;
            return Normalised(
                (w * right.X) + (x * right.W) + (y * right.Z) - (z * right.Y),
                (w * right.Y) + (y * right.W) + (z * right.X) - (x * right.Z),
                (w * right.Z) + (z * right.W) + (x * right.Y) - (y * right.X),
                (w * right.W) - (x * right.X) - (y * right.Y) - (z * right.Z));
        }

        /// <summary>Unity's Quaternion * Vector3.</summary>
        internal static Double3 Rotate(in Float4 rotation, in Double3 vector)
        {
            double x = rotation.X;
            double y = rotation.Y;
            double z = rotation.Z;
            double w = rotation.W;
            // v + 2 w (u x v) + 2 u x (u x v), with u the vector part.
            double cx = (y * vector.Z) - (z * vector.Y);
            double cy = (z * vector.X) - (x * vector.Z);
            double cz = (x * vector.Y) - (y * vector.X);
            return new Double3
            {
                X = vector.X + (2.0 * ((w * cx) + (y * cz) - (z * cy))),
                Y = vector.Y + (2.0 * ((w * cy) + (z * cx) - (x * cz))),
                Z = vector.Z + (2.0 * ((w * cz) + (x * cy) - (y * cx))),
            };
        }

        /// <summary>Unity's Transform.TransformPoint at unit scale: a point of the child in the parent.</summary>
        internal static Double3 Apply(in Float3 position, in Float4 rotation, in Double3 point)
        {
            var turned = Rotate(rotation, point);
            return new Double3 { X = turned.X + position.X, Y = turned.Y + position.Y, Z = turned.Z + position.Z };
        }

        internal static Double3 Cross(in Double3 one, in Double3 other)
        {
            return new Double3
            {
                X = (one.Y * other.Z) - (one.Z * other.Y),
                Y = (one.Z * other.X) - (one.X * other.Z),
                Z = (one.X * other.Y) - (one.Y * other.X),
            };
        }

        internal static Double3 Minus(in Double3 one, in Double3 other)
        {
            return new Double3 { X = one.X - other.X, Y = one.Y - other.Y, Z = one.Z - other.Z };
        }

        private static Float4 Normalised(double x, double y, double z, double w)
        {
            double scale = 1.0 / Math.Sqrt((x * x) + (y * y) + (z * z) + (w * w));
            return new Float4
            {
                X = (float)(x * scale),
                Y = (float)(y * scale),
                Z = (float)(z * scale),
                W = (float)(w * scale),
            };
        }
    }
}
