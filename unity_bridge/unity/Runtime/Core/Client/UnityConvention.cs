#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Between Unity's axes (left-handed, metres, y up) and the right-handed frames in mm of the CT and the tracker, LPS for
    /// the CT: (x, y, z) -> (-x, z, -y) / 1000. What comes over the wire is converted already, and must not be again: this
    /// is for showing coordinates to people who know the CT's.
    /// </summary>
    public static class UnityConvention
    {
        private const double MmPerM = 1000.0;

        /// <summary>Of a point in mm.</summary>
        public static Double3 PointToUnity(in Double3 pointMm)
        {
            return new Double3 { X = -pointMm.X / MmPerM, Y = pointMm.Z / MmPerM, Z = -pointMm.Y / MmPerM };
        }

        /// <summary>In mm.</summary>
        public static Double3 PointFromUnity(in Double3 pointM)
        {
            return new Double3 { X = -pointM.X * MmPerM, Y = -pointM.Z * MmPerM, Z = pointM.Y * MmPerM };
        }

        /// <summary>A reflection turns the axis by its negative and keeps the angle: (x, y, z, w) -> (x, -z, y, w).</summary>
        public static Float4 RotationToUnity(in Float4 rotation)
        {
            return new Float4 { X = rotation.X, Y = -rotation.Z, Z = rotation.Y, W = rotation.W };
        }

        /// <summary>The inverse.</summary>
        public static Float4 RotationFromUnity(in Float4 rotation)
        {
            return new Float4 { X = rotation.X, Y = rotation.Z, Z = -rotation.Y, W = rotation.W };
        }
    }
}
