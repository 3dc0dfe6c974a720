#nullable enable
using System;
using System.Globalization;
using System.Text;
using SurgNav.Core.Wire;
using UnityEngine;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>
    /// A tool beside the plan, in the server's own numbers: how far aside, how far to go, by what angle, and the nearest
    /// structure at risk. An alert has a colour, a sign in the text, an object of its own and an event for a sound, so that
    /// it never rests on colour. Without numbers that may be shown it says why.
    /// </summary>
    [AddComponentMenu("SurgNav/Guidance Readout")]
    [DefaultExecutionOrder(-700)]
    public sealed class GuidanceReadout : MonoBehaviour
    {
        /// <summary>Changing digits are a new string each: this often is enough to read.</summary>
        private const float SecondsBetweenTexts = 0.1f;

        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("Name of the tool on the wire, such as driver.")]
        private string tool = "driver";

        [SerializeField]
        private TextOutput output = new TextOutput();

        [SerializeField]
        [Tooltip("Shown at the first level of alert only. Give the three different shapes.")]
        private GameObject? caution = null;

        [SerializeField]
        private GameObject? warning = null;

        [SerializeField]
        private GameObject? breach = null;

        [SerializeField]
        [Tooltip("Called when the level changes, with 0 to 3: play a sound of its own for each.")]
        private UnityEvent<int> alertChanged = new UnityEvent<int>();

        private readonly StringBuilder words = new StringBuilder(160);
        private float nextTextAt;

        /// <summary>The server's numbers; null where there are none that may be shown.</summary>
        public ToolGuidance? Guidance { get; private set; }

        /// <summary>Why there are none; empty if there are.</summary>
        public string Reason { get; private set; } = "";

        /// <summary>The worst alert; Unset where nothing is known.</summary>
        public AlertLevel Level { get; private set; }

        public UnityEvent<int> AlertChanged => alertChanged;

        public TextOutput Output => output;

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            Show(AlertLevel.Unset);
        }

        private void OnDisable()
        {
            Guidance = null;
            Reason = "the readout is disabled";
            Show(AlertLevel.Unset);
            output.Put("");
        }

        private void Update()
        {
            ToolGuidance? guidance = null;
            string reason = "no SurgNavConnection in the objects above";
            if (connection)
            {
                connection!.TryReadGuidance(tool, out guidance, out reason);
            }

            Guidance = guidance;
            Reason = reason;
            var nearest = guidance is null ? null : Alerts.Nearest(guidance);
            var level = Alerts.Level(guidance, nearest);
            bool isNews = level != Level;
            if (isNews)
            {
                Show(level);
            }

            output.Paint(Alerts.Colour(level));
            if (guidance is null)
            {
                output.Put(reason);
                nextTextAt = 0;
            }
            else if (isNews || Time.unscaledTime >= nextTextAt)
            {
                nextTextAt = Time.unscaledTime + SecondsBetweenTexts;
                Write(guidance, nearest);
            }
        }

        private static string Sign(AlertLevel level)
        {
            return level switch
            {
                AlertLevel.Caution => "\u25b2 ",
                AlertLevel.Warning => "\u25b2\u25b2 ",
                AlertLevel.Breach => "\u25a0 BREACH ",
                _ => "",
            };
        }

        private void Show(AlertLevel level)
        {
            int before = Math.Max(0, (int)Level - 1);
            int now = Math.Max(0, (int)level - 1);
            Level = level;
            Set(caution, level == AlertLevel.Caution);
            Set(warning, level == AlertLevel.Warning);
            Set(breach, level == AlertLevel.Breach);
            if (before != now)
            {
                alertChanged.Invoke(now);
            }
        }

        private static void Set(GameObject? shape, bool isShown)
        {
            if (shape)
            {
                shape!.SetActive(isShown);
            }
        }

        private void Write(ToolGuidance guidance, RiskDistance? nearest)
        {
            words.Clear();
            Append("", guidance.LateralMm, " mm aside   ");
            Append("", guidance.RemainingMm, " mm to go   ");
            Append("", guidance.AngleRad * (180.0 / Math.PI), "\u00b0   ");
            Append("\u00b1 ", guidance.ErrorMm, " mm");
            if (guidance.ScrewGrade is ScrewGrade grade)
            {
                words.Append("\nscrew ").Append(grade.Word().ToUpperInvariant());
            }

            if (!(nearest is null))
            {
                words.Append('\n').Append(Sign(nearest.Level)).Append(nearest.Structure);
                Append(" ", nearest.DistanceMm, " mm");
            }

            output.Put(words);
        }

        /// <summary>One decimal; nothing for what is not known.</summary>
        private void Append(string before, double? value, string unit)
        {
            if (!value.HasValue)
            {
                return;
            }

            words.Append(before);
            Span<char> digits = stackalloc char[32];
            if (value.Value.TryFormat(digits, out int count, "F1", CultureInfo.InvariantCulture))
            {
                words.Append(digits.Slice(0, count));
            }

            words.Append(unit);
        }
    }
}
