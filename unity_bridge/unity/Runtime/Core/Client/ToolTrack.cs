#nullable enable
using System;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What is known of one tool: its state as the server has it, and its last poses in its present frames. Poses before a
    /// gap in which it was lost, of other frames or of another registration are forgotten: nothing is drawn between them.
    /// </summary>
    internal sealed class ToolTrack
    {
        private const int Kept = 64;
        private readonly Sample[] samples = new Sample[Kept];
        private int newest = -1;
        private int count;

        internal ToolTrack(string tool)
        {
            Tool = tool;
        }

        internal string Tool { get; }

        internal string ToFrame { get; private set; } = "";

        internal string FromFrame { get; private set; } = "";

        internal string RegistrationId { get; private set; } = "";

        internal Validity Validity { get; private set; } = Validity.Lost;

        internal string Reason { get; private set; } = "";

        internal bool HasError { get; private set; }

        internal float ErrorMm { get; private set; }

        /// <summary>Of the newest batch; zeros where it is not known.</summary>
        internal CovarianceRecord Covariance { get; private set; }

        internal bool HasPose => count > 0;

        /// <summary>Its last pose claims a time that is not yet: it was not taken.</summary>
        internal bool IsFromFuture { get; private set; }

        /// <summary>When the sensor saw the newest pose, on the server's clock.</summary>
        internal long CaptureNs => samples[newest].CaptureNs;

        /// <summary>What the server's filter adds to the newest pose; 0 where it is as it was measured.</summary>
        internal float DelayMs { get; private set; }

        /// <summary>Number of the batch in which the tool was last.</summary>
        internal ulong SeenIn { get; private set; }

        internal void Add(in ToolPose tool, ulong batch, bool isTimely)
        {
            bool isSame = Same(tool.ToFrame, ToFrame) && Same(tool.FromFrame, FromFrame)
                && Same(tool.RegistrationId, RegistrationId);
            bool hasPose = tool.HasPose && isTimely;
            IsFromFuture = tool.HasPose && !isTimely;
            if (!isSame || !hasPose)
            {
                count = 0;
            }

            SeenIn = batch;
            ToFrame = tool.ToFrame;
            FromFrame = tool.FromFrame;
            RegistrationId = tool.RegistrationId;
            Validity = tool.Validity;
            Reason = tool.Reason;
            HasError = tool.ExpectedErrorMm.HasValue;
            ErrorMm = tool.ExpectedErrorMm.GetValueOrDefault();
            Covariance = tool.Covariance;
            DelayMs = tool.Filtered.DelayMs;
            if (hasPose && (count == 0 || tool.CaptureNs.GetValueOrDefault() > CaptureNs))
            {
                newest = (newest + 1) % Kept;
                count = Math.Min(count + 1, Kept);
                samples[newest] = new Sample(
                    tool.CaptureNs.GetValueOrDefault(), tool.Filtered.AheadMs, tool.PositionM, tool.RotationXyzw);
            }
        }

        /// <summary>The pose at a time on the server's clock; only where HasPose.</summary>
        internal PoseSource At(long timeNs, in TrackLimits limits, out Float3 position, out Float4 rotation)
        {
            ref readonly var last = ref Before(0);
            long beyondNs = timeNs - last.HoldsNs;
            if (beyondNs <= 0)
            {
                return Between(timeNs, limits, out position, out rotation);
            }

            // A server that says 'stale' says that the tool may have moved: nothing is predicted from there. What the
            // server has predicted is not predicted again.
            long cappedNs = Validity == Validity.Stale || last.IsPredicted ? 0 : Math.Min(beyondNs, limits.PredictionCapNs);
            int back = cappedNs > 0 ? Baseline(limits) : 0;
            ref readonly var first = ref Before(back);
            if (back == 0)
            {
                position = last.Position;
                rotation = last.Rotation;
                return PoseSource.Frozen;
            }

            double share = 1.0 + (cappedNs / (double)(last.CaptureNs - first.CaptureNs));
            position = PoseMath.Lerp(first.Position, last.Position, share);
            rotation = PoseMath.Slerp(first.Rotation, last.Rotation, share);
            return cappedNs < beyondNs ? PoseSource.Frozen : PoseSource.Predicted;
        }

        private static bool Same(string one, string other)
        {
            return ReferenceEquals(one, other) || string.Equals(one, other, StringComparison.Ordinal);
        }

        private PoseSource Between(long timeNs, in TrackLimits limits, out Float3 position, out Float4 rotation)
        {
            int back = 1;
            while (back < count - 1 && Before(back).HoldsNs > timeNs)
            {
                back++;
            }

            if (back > count - 1)
            {
                position = Before(0).Position;
                rotation = Before(0).Rotation;
                return PoseSource.Interpolated; // the only one, at its own time or before it
            }

            ref readonly var from = ref Before(back);
            ref readonly var to = ref Before(back - 1);
            long apartNs = to.HoldsNs - from.HoldsNs;
            if (apartNs <= 0)
            {
                position = to.Position; // the server predicts no longer: the measured pose is what there is
                rotation = to.Rotation;
                return PoseSource.Frozen;
            }

            bool isFar = apartNs > limits.LargestGapNs && timeNs < to.HoldsNs;
            double share = isFar ? 0.0 : Math.Max(0.0, (timeNs - from.HoldsNs) / (double)apartNs);
            position = PoseMath.Lerp(from.Position, to.Position, share);
            rotation = PoseMath.Slerp(from.Rotation, to.Rotation, share);
            return isFar ? PoseSource.Frozen : to.IsPredicted ? PoseSource.Predicted : PoseSource.Interpolated;
        }

        /// <summary>How many poses back the velocity is taken from; 0 if there is none to take it from.</summary>
        private int Baseline(in TrackLimits limits)
        {
            int back = 0;
            while (back < count - 1)
            {
                long apartNs = Before(back).CaptureNs - Before(back + 1).CaptureNs;
                bool isTooLong = CaptureNs - Before(back + 1).CaptureNs > limits.VelocityBaselineNs && back > 0;
                if (apartNs > limits.LargestGapNs || isTooLong || Before(back + 1).IsPredicted)
                {
                    break;
                }

                back++;
            }

            return back;
        }

        /// <summary>The newest but so many.</summary>
        private ref readonly Sample Before(int back) => ref samples[(newest - back + Kept) % Kept];

        private readonly struct Sample
        {
            internal readonly long CaptureNs;
            internal readonly long HoldsNs;
            internal readonly Float3 Position;
            internal readonly Float4 Rotation;

            internal Sample(long captureNs, float aheadMs, in Float3 position, in Float4 rotation)
            {
                CaptureNs = captureNs;
                HoldsNs = captureNs + TrackLimits.Ns(aheadMs);
                Position = position;
                Rotation = rotation;
            }

            /// <summary>The server has predicted it: its age is that of its capture time all the same.</summary>
            internal bool IsPredicted => HoldsNs != CaptureNs;
        }
    }

    /// <summary>How far poses may be drawn from one another.</summary>
    internal readonly struct TrackLimits
    {
        internal readonly long PredictionCapNs;
        internal readonly long VelocityBaselineNs;
        internal readonly long LargestGapNs;

        internal TrackLimits(ClientSettings settings)
        {
            PredictionCapNs = Ns(settings.PredictionCapMs);
            VelocityBaselineNs = Ns(settings.VelocityBaselineMs);
            LargestGapNs = Ns(settings.LargestGapMs);
        }

        internal static long Ns(double milliseconds) => (long)Math.Round(milliseconds * 1e6);
    }
}
