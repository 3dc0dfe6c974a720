#nullable enable
using System;
using System.Globalization;
using System.Text;
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Distance from a tool's tip to a target, and the angle to a planned direction, with what they may be off by. Both are
    /// taken between frames of the tracker: how well the headset is aligned changes where they are seen, not what they say.
    /// The wire has no guidance message yet, so the numbers are made here.
    /// </summary>
    [AddComponentMenu("SurgNav/Guidance Readout")]
    [DefaultExecutionOrder(-700)]
    public sealed class GuidanceReadout : MonoBehaviour
    {
        /// <summary>Changing digits are a new string each: this often is enough to read.</summary>
        private const float SecondsBetweenTexts = 0.1f;

        [SerializeField]
        [Tooltip("Its origin is the tip: a calibrated tool's frame, such as stylus_tip.")]
        private TrackedTool? tool = null;

        [SerializeField]
        [Tooltip("Where to go: an object below the tool patient (the frame ct).")]
        private Transform? target = null;

        [SerializeField]
        [Tooltip("Where to come from: an object below the same frame. Nothing: no angle.")]
        private Transform? entry = null;

        [SerializeField]
        [Tooltip("Along the tool, towards its tip, in the tool's frame.")]
        private Vector3 toolAxis = new Vector3(0, 0, 1);

        [SerializeField]
        private TextOutput output = new TextOutput();

        private readonly StringBuilder words = new StringBuilder(128);
        private TrackedFrame? targetFrame;
        private Transform? knownTarget;
        private float nextTextAt;

        /// <summary>Hidden: the numbers mean nothing.</summary>
        public ToolDisplay Display { get; private set; }

        public string Reason { get; private set; } = "";

        public float DistanceMm { get; private set; }

        /// <summary>Between the tool's axis and the way from entry to target; not a number without entry.</summary>
        public float AngleDegrees { get; private set; } = float.NaN;

        /// <summary>
        /// What the distance may be off by: root of the squares' sum of what the server expects of the tool and of the
        /// registration, which takes the two as independent. Not a number where the server does not know either.
        /// </summary>
        public float ExpectedErrorMm { get; private set; } = float.NaN;

        public TextOutput Output => output;

        private void OnDisable()
        {
            Judge(Judgement.Hidden("the readout is disabled"));
            output.Put("");
        }

        private void Update()
        {
            Judge(Worst());
            if (Display != ToolDisplay.Hidden)
            {
                Measure();
            }

            output.Paint(Display == ToolDisplay.Shown ? Color.white : Tint.Grey);
            if (Display == ToolDisplay.Hidden)
            {
                output.Put(Reason);
            }
            else if (Time.unscaledTime >= nextTextAt)
            {
                nextTextAt = Time.unscaledTime + SecondsBetweenTexts;
                Write();
            }
        }

        private void Judge(Judgement judged)
        {
            Display = judged.Display;
            Reason = judged.Reason;
            if (Display == ToolDisplay.Hidden)
            {
                DistanceMm = AngleDegrees = ExpectedErrorMm = float.NaN;
                nextTextAt = 0;
            }
        }

        private Judgement Worst()
        {
            if (!tool || !target)
            {
                return Judgement.Hidden("the readout needs a tool and a target");
            }

            if (!ReferenceEquals(target, knownTarget))
            {
                knownTarget = target;
                targetFrame = target!.GetComponentInParent<TrackedFrame>();
            }

            if (!targetFrame)
            {
                return Judgement.Hidden("the target is below no tracked frame: put it below the patient");
            }

            tool!.Refresh();
            targetFrame!.Refresh();
            return tool.Display <= targetFrame.Display ? tool.Judgement : targetFrame.Judgement;
        }

        private void Measure()
        {
            var tip = tool!.transform;
            DistanceMm = Vector3.Distance(tip.position, target!.position) * 1000;
            AngleDegrees = entry
                ? Vector3.Angle(tip.TransformDirection(toolAxis), target.position - entry!.position)
                : float.NaN;
            ExpectedErrorMm = Together(tool.View, targetFrame as TrackedTool);
        }

        private static float Together(in ToolView one, TrackedTool? other)
        {
            if (!one.HasExpectedError || !other || !other!.View.HasExpectedError)
            {
                return float.NaN;
            }

            float first = one.ExpectedErrorMm;
            float second = other.View.ExpectedErrorMm;
            return (float)Math.Sqrt((first * first) + (second * second));
        }

        private void Write()
        {
            words.Clear();
            Append(DistanceMm, " mm");
            if (!float.IsNaN(AngleDegrees))
            {
                words.Append("   ");
                Append(AngleDegrees, "\u00b0");
            }

            if (float.IsNaN(ExpectedErrorMm))
            {
                words.Append("   expected error unknown");
            }
            else
            {
                words.Append("   \u00b1 ");
                Append(ExpectedErrorMm, " mm expected");
            }

            if (Reason.Length > 0)
            {
                words.Append('\n').Append(Reason);
            }

            output.Put(words);
        }

        /// <summary>One decimal, without a string of its own.</summary>
        private void Append(float value, string unit)
        {
            Span<char> digits = stackalloc char[32];
            if (value.TryFormat(digits, out int count, "F1", CultureInfo.InvariantCulture))
            {
                words.Append(digits.Slice(0, count));
            }

            words.Append(unit);
        }
    }
}
