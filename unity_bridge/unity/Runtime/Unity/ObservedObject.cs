#nullable enable
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// An object that the headset tracks itself, such as a marker: it is this tool of the server's room. It is seen while
    /// it is active, as the headset's marker tracking leaves it.
    /// </summary>
    [AddComponentMenu("SurgNav/Observed Object")]
    [DisallowMultipleComponent]
    public sealed class ObservedObject : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Its name at the headset: the id of the tool in the room file.")]
        private string toolName = "";

        /// <summary>A pose that was not measured anew for so long is not sent any more.</summary>
        private const long StaleNs = 250_000_000;

        private Vector3 lastLocalPosition;
        private Quaternion lastLocalRotation;
        private Vector3 position;
        private Quaternion rotation;
        private bool wasSeen;
        private bool isForgotten;
        private string lost = "";

        public string Tool => toolName;

        /// <summary>RMS distance in mm of the marker from its design, where the headset's tracking has it.</summary>
        public double? FitRmsMm { get; set; }

        /// <summary>As the wire has it (ObservedTool.Covariance), where the headset's tracking has it.</summary>
        public double[]? Covariance { get; set; }

        /// <summary>Why its pose is not to be relied on, though there is one; empty if it is.</summary>
        public string Doubt { get; set; } = "";

        public bool IsSeen => gameObject.activeInHierarchy && lost.Length == 0;

        /// <summary>What is sent of it is new in this frame.</summary>
        public bool IsNew { get; private set; }

        /// <summary>When its pose was new last, on the connection's clock.</summary>
        internal long SeenNs { get; private set; }

        /// <summary>For tracking that leaves the object active: it is not seen, and why.</summary>
        public void SayLost(string reason) => lost = reason.Length > 0 ? reason : "not seen";

        /// <summary>It is seen again.</summary>
        public void SaySeen() => lost = "";

        /// <summary>The headset's world was placed anew: what was measured before is no pose in it.</summary>
        internal void Forget() => isForgotten = true;

        /// <summary>
        /// Looks at the object. A pose that is the same to the last bit was not measured again: it keeps its time, and ages.
        /// </summary>
        internal void Look(Transform anchor, long nowNs)
        {
            bool isMeasured = !transform.localPosition.Equals(lastLocalPosition)
                || !transform.localRotation.Equals(lastLocalRotation);
            isForgotten &= !isMeasured;
            bool isSeen = IsSeen && !isForgotten;
            IsNew = isSeen ? isMeasured || !wasSeen : wasSeen;
            SeenNs = IsNew ? nowNs : SeenNs;
            wasSeen = isSeen;
            lastLocalPosition = transform.localPosition;
            lastLocalRotation = transform.localRotation;
            if (IsNew)
            {
                position = anchor.InverseTransformPoint(transform.position);
                rotation = Quaternion.Inverse(anchor.rotation) * transform.rotation;
            }
        }

        /// <summary>As it was looked at.</summary>
        internal ObservedTool Observation(long nowNs)
        {
            if (!wasSeen)
            {
                string why = lost.Length > 0 ? lost : "not seen by the headset";
                return new ObservedTool { Tool = toolName, Validity = Validity.Lost, Reason = why };
            }

            if (nowNs - SeenNs > StaleNs)
            {
                string old = $"not measured anew for {(nowNs - SeenNs) / 1_000_000} ms";
                return new ObservedTool { Tool = toolName, Validity = Validity.Stale, Reason = old };
            }

            return new ObservedTool
            {
                Tool = toolName,
                Validity = Doubt.Length > 0 ? Validity.Suspect : Validity.Valid,
                Reason = Doubt,
                PositionM = new double[] { position.x, position.y, position.z },
                RotationXyzw = Unit(rotation),
                SeenNs = SeenNs,
                FitRmsMm = FitRmsMm,
                Covariance = Covariance,
            };
        }

        /// <summary>Products of single-precision rotations drift off unit length.</summary>
        private static double[] Unit(Quaternion turn)
        {
            double x = turn.x, y = turn.y, z = turn.z, w = turn.w;
            double length = System.Math.Sqrt((x * x) + (y * y) + (z * z) + (w * w));
            return new[] { x / length, y / length, z / length, w / length };
        }
    }
}
