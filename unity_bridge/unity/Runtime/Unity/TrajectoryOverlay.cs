#nullable enable
using System;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// The planned trajectory in the patient: a ring at the entry, the axis with a bar every 10 mm, a star at the target, and
    /// the end of a planned screw. Beside it the tip: a line from it to its depth on the axis, and there the alert by colour
    /// and by shape, a ring, a triangle, two of them, a crossed square. Depth and alert are the server's.
    /// </summary>
    [AddComponentMenu("SurgNav/Trajectory Overlay")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-700)]
    public sealed class TrajectoryOverlay : MonoBehaviour
    {
        private const string PatientFrame = "ct";
        private const float TickM = 0.01f;
        private const float RoundingM = 1e-5f;

        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("Name of the tool on the wire whose tip is shown beside it.")]
        private string tool = "driver";

        [SerializeField]
        [Tooltip("Name of a trajectory of the plan. Nothing: the one that the server guides along.")]
        private string trajectory = "";

        [SerializeField]
        [Tooltip("One that lights itself.")]
        private Material? material = null;

        [SerializeField]
        private Color planColour = new Color(0.1f, 0.8f, 1.0f);

        [SerializeField]
        [Min(0.1f)]
        private float lineMm = 0.8f;

        [SerializeField]
        [Min(0.5f)]
        [Tooltip("Diameter of the ring at the entry, where no screw is planned that has one.")]
        private float ringMm = 6.0f;

        [SerializeField]
        private TextOutput output = new TextOutput();

        private readonly RodMesh planRods = new RodMesh();
        private readonly RodMesh tipRods = new RodMesh();
        private DrawnPart? planPart;
        private DrawnPart? tipPart;
        private GuidancePlan? plan;
        private PlannedTrajectory? drawn;
        private string missing = "";
        private string elsewhere = "";
        private string elsewhereOf = "";
        private Vector3 entry;
        private Vector3 axis;
        private float radiusM;

        /// <summary>What is to be seen of the plan.</summary>
        public ToolDisplay Display => planPart?.Display ?? ToolDisplay.Hidden;

        /// <summary>Of the tip beside it.</summary>
        public ToolDisplay TipDisplay => tipPart?.Display ?? ToolDisplay.Hidden;

        /// <summary>Why the plan is not shown as it is; empty if it is.</summary>
        public string Reason => planPart?.Reason ?? "not looked at yet";

        /// <summary>Why the tip is not shown beside it; empty if it is.</summary>
        public string TipReason => tipPart?.Reason ?? "not looked at yet";

        /// <summary>The worst alert of the tool; Unset where the tip is not shown.</summary>
        public AlertLevel Level { get; private set; }

        public TextOutput Output => output;

        private float HalfWidthM => lineMm / 2000.0f;

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            planPart ??= new DrawnPart("planned trajectory", material, planColour);
            tipPart ??= new DrawnPart("tip beside the trajectory", material, null);
        }

        private void OnDisable()
        {
            HideAll("the overlay is disabled");
            output.Put("");
        }

        private void OnDestroy()
        {
            planPart?.Destroy();
            tipPart?.Destroy();
        }

        private void Update()
        {
            string reason = "no SurgNavConnection in the objects above";
            if (!connection || !connection!.TryReadPlan(out var told, out reason))
            {
                HideAll(reason);
            }
            else
            {
                Take(told!);
                ShowPlan();
            }

            output.Paint(Display == ToolDisplay.Shown && TipDisplay == ToolDisplay.Shown ? Color.white : Tint.Grey);
            output.Put(Reason.Length > 0 ? Reason : TipReason);
        }

        /// <summary>Draws the plan anew as often as the server tells it.</summary>
        private void Take(GuidancePlan told)
        {
            if (ReferenceEquals(told, plan))
            {
                return;
            }

            plan = told;
            string name = trajectory.Length > 0 ? trajectory : told.Followed;
            drawn = null;
            missing = "";
            foreach (var each in told.Trajectories)
            {
                if (string.Equals(each.Name, name, StringComparison.Ordinal))
                {
                    Draw(each);
                }
            }

            if (drawn is null && missing.Length == 0)
            {
                missing = name.Length > 0 ? $"the plan has no trajectory '{name}'" : "no trajectory of the plan is followed";
            }
        }

        private void Draw(PlannedTrajectory way)
        {
            entry = ToVector3(way.EntryM);
            var target = ToVector3(way.TargetM);
            axis = (1000.0f * (target - entry)).normalized;
            if (axis == Vector3.zero)
            {
                missing = $"entry and target of '{way.Name}' are one point";
                return;
            }

            drawn = way;
            radiusM = (float)(way.ScrewDiameterMm ?? ringMm) / 2000.0f;
            planRods.Clear();
            planRods.Rod(entry, target, HalfWidthM);
            planRods.Ring(entry, axis, radiusM, HalfWidthM);
            planRods.Star(target, axis, radiusM, HalfWidthM, 2);
            float lengthM = (target - entry).magnitude;
            for (int tick = 1; tick * TickM < lengthM - RoundingM; tick++)
            {
                planRods.Star(entry + (tick * TickM * axis), axis, 0.5f * radiusM, HalfWidthM, 1);
            }

            if (way.ScrewLengthMm is double screwMm)
            {
                planRods.Ring(entry + ((float)screwMm / 1000.0f * axis), axis, radiusM, HalfWidthM);
            }

            planRods.Put(planPart!.Mesh);
        }

        private static Vector3 ToVector3(double[] position)
        {
            return new Vector3((float)position[0], (float)position[1], (float)position[2]);
        }

        private void ShowPlan()
        {
            var frame = connection!.FindFrame(PatientFrame);
            if (drawn is null || !frame)
            {
                HideAll(drawn is null ? missing : "no TrackedTool for the frame ct, such as patient");
                return;
            }

            frame!.Refresh();
            if (frame.Display == ToolDisplay.Hidden)
            {
                HideAll(frame.Reason);
                return;
            }

            planPart!.Show(frame, frame.Display, frame.Reason);
            if (frame.Display == ToolDisplay.Greyed)
            {
                HideTip(frame.Reason);
            }
            else
            {
                ShowTip(frame);
            }
        }

        private void ShowTip(TrackedFrame frame)
        {
            if (!connection!.TryReadGuidance(tool, out var guidance, out string reason))
            {
                HideTip(reason);
                return;
            }

            var tip = connection.FindTool(tool);
            if (!tip || !(guidance!.DepthMm is double depthMm) || guidance.Trajectory != drawn!.Name)
            {
                HideTip(tip ? Elsewhere(guidance!.Trajectory) : "no TrackedTool in the scene for the tool");
                return;
            }

            tip!.Refresh();
            if (tip.Display != ToolDisplay.Shown)
            {
                HideTip(tip.Reason);
                return;
            }

            Level = Alerts.Level(guidance, Alerts.Nearest(guidance));
            DrawTip(frame.transform.InverseTransformPoint(tip.transform.position), entry + ((float)depthMm / 1000.0f * axis));
            tipPart!.SetColour(Alerts.Colour(Level));
            tipPart.Show(frame, ToolDisplay.Shown, "");
        }

        private void DrawTip(Vector3 tip, Vector3 depth)
        {
            tipRods.Clear();
            tipRods.Rod(tip, depth, HalfWidthM);
            switch (Level)
            {
                case AlertLevel.Caution:
                    tipRods.Polygon(depth, axis, 3.0f * radiusM, HalfWidthM, 3);
                    break;
                case AlertLevel.Warning:
                    tipRods.Polygon(depth, axis, 3.0f * radiusM, HalfWidthM, 3);
                    tipRods.Polygon(depth, axis, 5.0f * radiusM, HalfWidthM, 3);
                    break;
                case AlertLevel.Breach:
                    tipRods.Polygon(depth, axis, 3.0f * radiusM, 2.0f * HalfWidthM, 4);
                    tipRods.Star(depth, axis, 3.0f * radiusM, 2.0f * HalfWidthM, 2);
                    break;
                default:
                    tipRods.Ring(depth, axis, 1.5f * radiusM, HalfWidthM);
                    break;
            }

            tipRods.Put(tipPart!.Mesh);
        }

        // Put together when it changes, not in every frame.
        private string Elsewhere(string followed)
        {
            if (elsewhere.Length == 0 || elsewhereOf != followed)
            {
                elsewhereOf = followed;
                elsewhere = followed.Length > 0 ? $"the server guides along '{followed}'" : "the server guides along no trajectory";
            }

            return elsewhere;
        }

        private void HideTip(string reason)
        {
            Level = AlertLevel.Unset;
            tipPart?.Hide(reason);
        }

        private void HideAll(string reason)
        {
            planPart?.Hide(reason);
            HideTip(reason);
        }
    }
}
