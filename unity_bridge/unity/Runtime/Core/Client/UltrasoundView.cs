#nullable enable
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// Live ultrasound at one moment of display. Make one and hand it to NavigationClient.ReadUltrasound again and again.
    /// </summary>
    public sealed class UltrasoundView
    {
        /// <summary>
        /// What may be drawn in the patient, below the Transform of <see cref="UltrasoundData.ToFrame"/>. Greyed: it is not
        /// to be relied on.
        /// </summary>
        public ToolDisplay Display { get; internal set; }

        /// <summary>Why it is not shown as it is; empty if it is.</summary>
        public string Reason { get; internal set; } = "nothing was read yet";

        /// <summary>The frame, for as long as the next reading; null where nothing may be drawn.</summary>
        public UltrasoundData? Data { get; internal set; }

        /// <summary>
        /// Contours say where something is: in the patient they are drawn only where the place is beyond doubt. A doubted
        /// image, greyed, still shows what the probe sees.
        /// </summary>
        public bool ShowsContours => Data is { Placing: Validity.Valid };

        /// <summary>How old the image is at the moment of display, at its worst; 0 where it is not known.</summary>
        public long AgeNs { get; internal set; }

        /// <summary>Nothing is shown, for this reason.</summary>
        public void Hide(string reason)
        {
            Display = ToolDisplay.Hidden;
            Reason = reason;
            Data = null;
        }
    }
}
