#nullable enable
using System;

namespace SurgNav.Core.Wire
{
    /// <summary>One tool of a batch. A lost tool has no pose: not the last one, not the identity.</summary>
    public readonly struct ToolPose
    {
        private readonly ToolRecord record;
        private readonly CovarianceRecord covariance;
        private readonly FilteredRecord filtered;
        private readonly string[] strings;

        internal ToolPose(
            in ToolRecord record, in CovarianceRecord covariance, in FilteredRecord filtered, string[] strings)
        {
            this.filtered = filtered;
            this.record = record;
            this.covariance = covariance;
            this.strings = strings;
        }

        public string Tool => strings[record.Tool];

        /// <summary>The frame whose Transform is the parent.</summary>
        public string ToFrame => strings[record.ToFrame];

        public string FromFrame => strings[record.FromFrame];

        public Validity Validity => record.Validity;

        /// <summary>Why the tool is not valid.</summary>
        public string Reason => strings[record.Reason];

        /// <summary>Empty where the pose rests on no registration.</summary>
        public string RegistrationId => strings[record.Registration];

        public bool HasPose => (record.Flags & Constants.HasPose) != 0;

        /// <summary>In Unity's axes and metres; zeros without a pose.</summary>
        public Float3 PositionM => record.PositionM;

        /// <summary>A unit quaternion; zeros, which are no rotation, without a pose.</summary>
        public Float4 RotationXyzw => record.RotationXyzw;

        /// <summary>When the sensor saw the pose, on the server's clock.</summary>
        public long? CaptureNs => HasPose ? record.CaptureNs : (long?)null;

        /// <summary>At the tool's tip; null if unknown.</summary>
        public float? ExpectedErrorMm
        {
            get { return (record.Flags & Constants.HasError) != 0 ? record.ExpectedErrorMm : (float?)null; }
        }

        /// <summary>Of the error of the origin of <see cref="FromFrame"/>, such as the tip; zeros where it is not known.</summary>
        public CovarianceRecord Covariance => covariance;

        /// <summary>What the server's filter made of the measured pose; zeros where the pose is as it was measured.</summary>
        public FilteredRecord Filtered => filtered;
    }

    /// <summary>Every tool at one instant. The object is reused: a decoder fills it again and again.</summary>
    public sealed class PoseBatch
    {
        internal ToolRecord[] Records = Array.Empty<ToolRecord>();
        internal CovarianceRecord[] Covariances = Array.Empty<CovarianceRecord>();
        internal FilteredRecord[] Filtered = Array.Empty<FilteredRecord>();
        internal string[] Strings = Array.Empty<string>();

        public MessageHeader Header { get; internal set; }

        /// <summary>Of what all poses stand on: unless valid, nothing is shown as is.</summary>
        public Validity Validity => Header.Validity;

        /// <summary>Why the batch as a whole is not valid.</summary>
        public string Reason { get; internal set; } = "";

        public int Count { get; internal set; }

        public ToolPose this[int index]
        {
            get
            {
                return (uint)index < (uint)Count
                    ? new ToolPose(Records[index], Covariances[index], Filtered[index], Strings)
                    : throw new ArgumentOutOfRangeException(nameof(index));
            }
        }
    }
}
