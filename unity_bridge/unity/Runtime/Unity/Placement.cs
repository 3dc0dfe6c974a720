#nullable enable
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// The one place where what the wire says becomes a Transform: everything shown goes through it, and the self-test
    /// too. The wire is in Unity's convention already, so there is nothing to convert.
    /// </summary>
    public static class Placement
    {
        // A headset's rig may be scaled by rounding, not by design.
        private const float Tolerance = 1e-3f;

        public static Vector3 ToVector3(Float3 value) => new Vector3(value.X, value.Y, value.Z);

        public static Vector3 ToVector3(Double3 value) => new Vector3((float)value.X, (float)value.Y, (float)value.Z);

        public static Double3 ToDouble3(Vector3 value) => new Double3 { X = value.x, Y = value.y, Z = value.z };

        /// <summary>Puts a tool's Transform below that of its `to frame`. The view has a pose: it is not Hidden.</summary>
        public static void Put(Transform tool, in ToolView view)
        {
            var turn = view.RotationXyzw;
            tool.localPosition = ToVector3(view.PositionM);
            tool.localRotation = new Quaternion(turn.X, turn.Y, turn.Z, turn.W);
        }

        /// <summary>Hangs a surface below the Transform of its frame.</summary>
        public static void Hang(Transform surface, Transform frame, SurfaceMesh mesh)
        {
            surface.SetParent(frame, false);
            surface.localPosition = ToVector3(mesh.MinimumM);
            surface.localRotation = Quaternion.identity;
            surface.localScale = Vector3.one * (float)mesh.EdgeM;
        }

        /// <summary>
        /// Why nothing may be shown below this Transform; null if it may. A parent that mirrors puts the left kidney on the
        /// right, and one that scales puts everything beside the patient.
        /// </summary>
        public static string? Trouble(Transform frame)
        {
            var matrix = frame.localToWorldMatrix;
            float determinant = matrix.determinant;
            if (determinant < 0)
            {
                return "a Transform above mirrors: a localScale is negative. Make all scales 1";
            }

            // Columns of length 1 that span a unit volume are at right angles, too.
            bool isRigid = IsOne(Length(matrix.GetColumn(0))) && IsOne(Length(matrix.GetColumn(1)))
                && IsOne(Length(matrix.GetColumn(2))) && IsOne(determinant);
            return isRigid ? null : "a Transform above scales or shears. Make all scales 1";
        }

        private static float Length(Vector4 column) => ((Vector3)column).magnitude;

        // Written so that NaN fails.
        private static bool IsOne(float value) => Mathf.Abs(value - 1) < Tolerance;
    }
}
