#nullable enable
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>Which alert is the one to show, and its colour; its shape is the business of whoever shows it.</summary>
    internal static class Alerts
    {
        private static readonly Color Amber = new Color(1.0f, 0.75f, 0.0f);
        private static readonly Color Orange = new Color(1.0f, 0.45f, 0.0f);
        private static readonly Color Red = new Color(1.0f, 0.1f, 0.1f);

        /// <summary>The worst alert, and of those the one with least left; null without a structure at risk.</summary>
        internal static RiskDistance? Nearest(ToolGuidance guidance)
        {
            RiskDistance? worst = null;
            foreach (var risk in guidance.Risks)
            {
                if (worst is null || risk.Level > worst.Level
                    || (risk.Level == worst.Level && risk.LeftMm < worst.LeftMm))
                {
                    worst = risk;
                }
            }

            return worst;
        }

        /// <summary>Of the nearest structure; Unset where nothing is known.</summary>
        internal static AlertLevel Level(ToolGuidance? guidance, RiskDistance? nearest)
        {
            return guidance is null ? AlertLevel.Unset : nearest?.Level ?? AlertLevel.Clear;
        }

        internal static Color Colour(AlertLevel level)
        {
            return level switch
            {
                AlertLevel.Clear => Color.white,
                AlertLevel.Caution => Amber,
                AlertLevel.Warning => Orange,
                AlertLevel.Breach => Red,
                _ => Tint.Grey,
            };
        }
    }
}
