#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>What may be drawn of a tool.</summary>
    public enum ToolDisplay : byte
    {
        /// <summary>Nothing: there is no pose, or none that may be shown. Say why.</summary>
        Hidden = 0,

        /// <summary>The pose, greyed: it is not to be relied on. Say why.</summary>
        Greyed = 1,

        /// <summary>The pose, as it is.</summary>
        Shown = 2,
    }

    /// <summary>Where a pose at the display's time comes from.</summary>
    public enum PoseSource : byte
    {
        None = 0,

        /// <summary>Between two poses that the sensor saw.</summary>
        Interpolated = 1,

        /// <summary>At constant velocity, for no longer than the settings allow: from the last ones, or by the server.</summary>
        Predicted = 2,

        /// <summary>The last one, with no more prediction.</summary>
        Frozen = 3,
    }

    /// <summary>
    /// One tool at the moment of display. Set a Transform's localPosition and localRotation under the Transform of
    /// <see cref="ToFrame"/> if <see cref="Display"/> is not Hidden; otherwise there is no pose here at all.
    /// </summary>
    public struct ToolView
    {
        public string Tool { get; internal set; }

        /// <summary>The frame whose Transform is the parent.</summary>
        public string ToFrame { get; internal set; }

        public string FromFrame { get; internal set; }

        public ToolDisplay Display { get; internal set; }

        /// <summary>As to be told the user: the worst of tool, batch and age. Never Unset.</summary>
        public Validity Validity { get; internal set; }

        /// <summary>Why it is not valid; empty if it is.</summary>
        public string Reason { get; internal set; }

        public PoseSource Source { get; internal set; }

        /// <summary>In Unity's axes and metres; zeros if hidden.</summary>
        public Float3 PositionM { get; internal set; }

        /// <summary>A unit quaternion; zeros, which are no rotation, if hidden.</summary>
        public Float4 RotationXyzw { get; internal set; }

        /// <summary>At the tool's tip, 95 % or as the server has it; see <see cref="HasExpectedError"/>.</summary>
        public float ExpectedErrorMm { get; internal set; }

        /// <summary>False where the server does not know.</summary>
        public bool HasExpectedError { get; internal set; }

        /// <summary>
        /// Of the error of the origin of <see cref="FromFrame"/>, such as the tip, along the axes of <see cref="ToFrame"/>: as
        /// the newest batch has it. Zeros where it is not known, and wherever the tool is not valid.
        /// </summary>
        public CovarianceRecord Covariance { get; internal set; }

        /// <summary>The registration that the pose rests on; empty if on none.</summary>
        public string RegistrationId { get; internal set; }

        /// <summary>
        /// From the sensor's stamp of what is drawn, or of the newest pose where it is predicted from that, to the moment of
        /// display, at its worst: the clocks may be off by their bound. 0 without a pose.
        /// </summary>
        public long AgeNs { get; internal set; }

        /// <summary>
        /// By how much the server's filter makes the tool lag behind its motion, beside its age; 0 where the pose is as it was
        /// measured.
        /// </summary>
        public float FilterDelayMs { get; internal set; }
    }
}
