#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What this client, as a headset, may show of the tracker's world at one moment: put the frame `tracker` at the pose
    /// below the headset's anchor if <see cref="IsShown"/>; otherwise there is no pose here at all.
    /// </summary>
    public readonly struct Overlay
    {
        internal Overlay(string reason, string calibrated)
        {
            Reason = reason;
            Calibrated = calibrated;
            PositionM = default;
            RotationXyzw = default;
            ExpectedP95Mm = null;
        }

        internal Overlay(in Float3 positionM, in Float4 rotationXyzw, double? expectedP95Mm, string calibrated)
        {
            Reason = "";
            Calibrated = calibrated;
            PositionM = positionM;
            RotationXyzw = rotationXyzw;
            ExpectedP95Mm = expectedP95Mm;
        }

        /// <summary>Nothing may be shown.</summary>
        public static Overlay Hidden(string reason) => new Overlay(reason, "");

        public bool IsShown => Reason is "";

        /// <summary>Why nothing may be shown, and what to do; empty if it may.</summary>
        public string Reason { get; }

        /// <summary>When this headset was calibrated, and how long ago; empty if it was not.</summary>
        public string Calibrated { get; }

        /// <summary>Of the frame `tracker` in the headset's world, in metres; zeros if nothing may be shown.</summary>
        public Float3 PositionM { get; }

        /// <summary>A unit quaternion; zeros, which are no rotation, if nothing may be shown.</summary>
        public Float4 RotationXyzw { get; }

        /// <summary>95 of 100 such calibrations show a point in the middle of what was measured within it; null: unknown.</summary>
        public double? ExpectedP95Mm { get; }
    }
}
