#nullable enable
using SurgNav.Core.Client;
using UnityEditor;
using UnityEngine;

namespace SurgNav.Unity.Editor
{
    /// <summary>While the scene plays: the state of the link, and enrolment by hand.</summary>
    [CustomEditor(typeof(SurgNavConnection))]
    public sealed class SurgNavConnectionEditor : UnityEditor.Editor
    {
        private string enrolment = "";
        private string answer = "";

        public override bool RequiresConstantRepaint() => EditorApplication.isPlaying;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var connection = (SurgNavConnection)target;
            if (!EditorApplication.isPlaying)
            {
                return;
            }

            EditorGUILayout.Space();
            if (connection.Problem.Length > 0)
            {
                EditorGUILayout.HelpBox(connection.Problem, MessageType.Error);
            }

            enrolment = EditorGUILayout.PasswordField("enrolment text", enrolment);
            if (GUILayout.Button("Enroll"))
            {
                answer = connection.Enroll(enrolment);
                enrolment = "";
            }

            if (answer.Length > 0)
            {
                EditorGUILayout.HelpBox(answer, MessageType.Error);
            }

            StatusGui.Draw(connection.Status);
        }
    }

    /// <summary>While the scene plays: what is shown of a frame, and why not more.</summary>
    [CustomEditor(typeof(TrackedFrame), true)]
    public sealed class TrackedFrameEditor : UnityEditor.Editor
    {
        public override bool RequiresConstantRepaint() => EditorApplication.isPlaying;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            var frame = (TrackedFrame)target;
            if (Placement.Trouble(frame.transform) is string trouble)
            {
                EditorGUILayout.HelpBox(trouble, MessageType.Error);
            }

            if (!EditorApplication.isPlaying)
            {
                return;
            }

            EditorGUILayout.Space();
            EditorGUILayout.LabelField("frame", frame.FrameName);
            EditorGUILayout.LabelField("state", $"{frame.Validity}, {frame.Display}");
            if (frame.Reason.Length > 0)
            {
                EditorGUILayout.HelpBox(frame.Reason, MessageType.Info);
            }

            if (frame is TrackedTool tool && tool.View.HasExpectedError)
            {
                EditorGUILayout.LabelField("expected error", $"{tool.View.ExpectedErrorMm:F1} mm");
            }

            if (frame is HeadsetAnchor anchor)
            {
                DrawAnchor(anchor);
            }
        }

        private static void DrawAnchor(HeadsetAnchor anchor)
        {
            if (anchor.IsAligned)
            {
                EditorGUILayout.LabelField("scatter", $"{anchor.SpreadMm:F1} mm, {anchor.SpreadDegrees:F1} degrees");
            }

            if (GUILayout.Button(anchor.IsAligning ? "aligning" : "Align"))
            {
                anchor.Align();
            }
        }
    }

    /// <summary>While the scene plays: what is to be seen of a part, and why not more.</summary>
    public abstract class PartEditor : UnityEditor.Editor
    {
        public override bool RequiresConstantRepaint() => EditorApplication.isPlaying;

        public override void OnInspectorGUI()
        {
            DrawDefaultInspector();
            if (EditorApplication.isPlaying)
            {
                EditorGUILayout.Space();
                DrawState();
            }
        }

        protected abstract void DrawState();

        protected static void DrawPart(string name, string state, string reason)
        {
            EditorGUILayout.LabelField(name, state);
            if (reason.Length > 0)
            {
                EditorGUILayout.HelpBox(reason, MessageType.Info);
            }
        }
    }

    [CustomEditor(typeof(TrajectoryOverlay))]
    public sealed class TrajectoryOverlayEditor : PartEditor
    {
        protected override void DrawState()
        {
            var overlay = (TrajectoryOverlay)target;
            DrawPart("plan", $"{overlay.Display}", overlay.Reason);
            DrawPart("tip", $"{overlay.TipDisplay}", overlay.TipReason);
            EditorGUILayout.LabelField("alert", $"{overlay.Level}");
        }
    }

    [CustomEditor(typeof(TipErrorEllipsoid))]
    public sealed class TipErrorEllipsoidEditor : PartEditor
    {
        protected override void DrawState()
        {
            string reason = ((TipErrorEllipsoid)target).Reason;
            DrawPart("ellipsoid", reason.Length > 0 ? "Hidden" : "Shown", reason);
        }
    }

    [CustomEditor(typeof(UltrasoundPlane))]
    public sealed class UltrasoundPlaneEditor : PartEditor
    {
        protected override void DrawState()
        {
            var plane = (UltrasoundPlane)target;
            DrawPart("contours", $"{plane.Display}", plane.Reason);
            DrawPart("image", $"{plane.ImageDisplay}", "");
        }
    }
}
