#nullable enable
using System;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Where a frame of the wire is in the headset's world: the root of everything tracked. As the server's calibration of
    /// this headset says and as long as it holds; or as is aligned here, from a marker that the headset sees (or that a
    /// person places by hand) and the tracker sees too.
    /// </summary>
    [AddComponentMenu("SurgNav/Headset Anchor")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-950)]
    public sealed class HeadsetAnchor : TrackedFrame
    {
        private const string NotAligned = "the headset is not aligned with the tracker";

        [SerializeField]
        [Tooltip("The frame that this object is: tracker, or reference where the server sends poses in that only.")]
        private string frameName = "tracker";

        [SerializeField]
        [Tooltip("This object is where the frame is, as it stands in the scene: on a desktop, where nothing is overlaid.")]
        private bool fixedInScene = false;

        [SerializeField]
        [Tooltip("By the server's calibration of this headset: what tells the server that it is there, and where its world is.")]
        private HeadsetObserver? observer = null;

        [SerializeField]
        [Tooltip("The marker in the headset's world: moved by the headset's marker tracking, or by hand. Inactive: unseen.")]
        private Transform? seenMarker = null;

        [SerializeField]
        [Tooltip("The same marker as the tracker sees it: a TrackedTool somewhere below this object.")]
        private TrackedTool? marker = null;

        [SerializeField]
        [Tooltip("Frames that an alignment is averaged over.")]
        [Min(1)]
        private int sampleCount = 60;

        [SerializeField]
        [Tooltip("Refuse an alignment whose samples scatter by more (RMS at the marker).")]
        [Min(0)]
        private float maxSpreadMm = 2.0f;

        [SerializeField]
        [Tooltip("Refuse an alignment whose samples scatter by more (largest).")]
        [Min(0)]
        private float maxSpreadDegrees = 1.0f;

        [SerializeField]
        [Tooltip("Only below a spatial anchor of the headset: otherwise its world may have moved meanwhile.")]
        private bool keepAcrossPause = false;

        private Sample[] samples = Array.Empty<Sample>();
        private int taken = -1;
        private string refusal = NotAligned;

        public override string FrameName => frameName;

        public bool IsAligned { get; private set; }

        /// <summary>By the server's calibration: when that was made, and how long ago; empty without one.</summary>
        public string Calibrated { get; private set; } = "";

        /// <summary>Samples are being taken.</summary>
        public bool IsAligning => taken >= 0;

        /// <summary>
        /// RMS scatter of the last alignment at the marker. It is how well the marker was seen again and again, not how
        /// far off the overlay is: that shows at a point that is touched.
        /// </summary>
        public float SpreadMm { get; private set; }

        public float SpreadDegrees { get; private set; }

        /// <summary>Takes samples from now on; until there are enough, nothing is shown.</summary>
        public void Align()
        {
            samples = samples.Length == sampleCount ? samples : new Sample[sampleCount];
            taken = 0;
            IsAligned = false;
            refusal = !seenMarker || !marker
                ? "the anchor has no seenMarker or no marker: set both"
                : "aligning: keep the marker in sight of the headset and of the tracker";
        }

        /// <summary>Nothing is shown until the next alignment.</summary>
        public void Forget(string reason)
        {
            taken = -1;
            IsAligned = false;
            refusal = reason;
        }

        protected override Judgement Judge()
        {
            if (fixedInScene)
            {
                return new Judgement(ToolDisplay.Shown, Validity.Valid, "");
            }

            if (observer)
            {
                return FollowServer(observer!);
            }

            // The marker's pose is that of the frame before: its object hangs from this one.
            if (IsAligning && seenMarker && marker)
            {
                TakeSample();
            }

            return IsAligned ? new Judgement(ToolDisplay.Shown, Validity.Valid, "") : Judgement.Hidden(refusal);
        }

        private Judgement FollowServer(HeadsetObserver seer)
        {
            if (frameName != "tracker" || !seer.Connection)
            {
                return Judgement.Hidden("set frameName to 'tracker', and put the observer below a SurgNavConnection");
            }

            if (Placement.Trouble(seer.Anchor) is string trouble)
            {
                return Judgement.Hidden(trouble);
            }

            var overlay = seer.Connection!.ReadOverlay(seer.AnchorName);
            IsAligned = overlay.IsShown;
            Calibrated = overlay.Calibrated;
            if (!overlay.IsShown)
            {
                return Judgement.Hidden(overlay.Reason);
            }

            var turn = overlay.RotationXyzw;
            transform.SetPositionAndRotation(
                seer.Anchor.TransformPoint(Placement.ToVector3(overlay.PositionM)),
                seer.Anchor.rotation * new Quaternion(turn.X, turn.Y, turn.Z, turn.W));
            return new Judgement(ToolDisplay.Shown, Validity.Valid, "");
        }

        private void OnApplicationPause(bool paused)
        {
            if (paused && !keepAcrossPause && (IsAligned || IsAligning))
            {
                Forget("the headset was taken off, its world may have moved: align again");
            }
        }

        private void TakeSample()
        {
            if (!seenMarker!.gameObject.activeInHierarchy || marker!.OwnDisplay != ToolDisplay.Shown)
            {
                return;
            }

            samples[taken++] = new Sample
            {
                SeenAt = seenMarker.position,
                SeenTurned = seenMarker.rotation,
                At = transform.InverseTransformPoint(marker.transform.position),
                Turned = Quaternion.Inverse(transform.rotation) * marker.transform.rotation,
            };
            if (taken == samples.Length)
            {
                Finish();
            }
        }

        private void Finish()
        {
            taken = -1;
            var turn = MeanRotation();
            var mean = Vector3.zero;
            foreach (var each in samples)
            {
                mean += each.SeenAt - (turn * each.At);
            }

            mean /= samples.Length;
            double squares = 0;
            float largest = 0;
            foreach (var each in samples)
            {
                squares += (each.SeenAt - (mean + (turn * each.At))).sqrMagnitude;
                largest = Mathf.Max(largest, Quaternion.Angle(turn, each.Anchor));
            }

            SpreadMm = (float)Math.Sqrt(squares / samples.Length) * 1000;
            SpreadDegrees = largest;

            // Written so that NaN fails.
            if (SpreadMm <= maxSpreadMm && SpreadDegrees <= maxSpreadDegrees)
            {
                transform.SetPositionAndRotation(mean, turn);
                IsAligned = true;
                return;
            }

            refusal = $"the alignment scattered by {SpreadMm:F1} mm and {SpreadDegrees:F1} degrees "
                + $"(allowed: {maxSpreadMm:F1} mm, {maxSpreadDegrees:F1} degrees): hold still, and align again";
        }

        /// <summary>The normalised mean of quaternions on one side: for a scatter of degrees the mean rotation.</summary>
        private Quaternion MeanRotation()
        {
            var first = samples[0].Anchor;
            double x = 0, y = 0, z = 0, w = 0;
            foreach (var each in samples)
            {
                var one = each.Anchor;
                double side = Quaternion.Dot(first, one) < 0 ? -1 : 1;
                x += side * one.x;
                y += side * one.y;
                z += side * one.z;
                w += side * one.w;
            }

            double length = Math.Sqrt((x * x) + (y * y) + (z * z) + (w * w));
            return new Quaternion((float)(x / length), (float)(y / length), (float)(z / length), (float)(w / length));
        }

        private struct Sample
        {
            /// <summary>The marker in the headset's world.</summary>
            public Vector3 SeenAt;
            public Quaternion SeenTurned;

            /// <summary>The marker in this frame.</summary>
            public Vector3 At;
            public Quaternion Turned;

            /// <summary>How this frame is turned in the headset's world.</summary>
            public readonly Quaternion Anchor => SeenTurned * Quaternion.Inverse(Turned);
        }
    }
}
