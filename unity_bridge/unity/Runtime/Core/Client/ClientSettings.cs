#nullable enable
using System;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Client
{
    /// <summary>What an application decides. NavigationClient.Start takes a copy.</summary>
    public sealed class ClientSettings
    {
        /// <summary>Such as tcp://192.168.1.10:5570.</summary>
        public string PoseEndpoint { get; set; } = "";

        public string SurfaceEndpoint { get; set; } = "";

        public string ControlEndpoint { get; set; } = "";

        /// <summary>Null for a server without keys, which loopback only allows.</summary>
        public CurveKeys? Keys { get; set; }

        /// <summary>How the client presents itself.</summary>
        public string Name { get; set; } = "headset";

        public string Program { get; set; } = "SurgNav for Unity 0.1";

        /// <summary>
        /// Shows what was a while ago, so that there are poses on both sides to interpolate between. 0 follows the tool
        /// closely, by prediction; the server's period and the latency together never predict. What is drawn is so old at
        /// least, which counts as its age.
        /// </summary>
        public double DisplayDelayMs { get; set; }

        /// <summary>How far beyond the newest pose to extrapolate at constant velocity; then it is frozen.</summary>
        public double PredictionCapMs { get; set; } = 30.0;

        /// <summary>
        /// Poses this far apart give the velocity: longer is smoother (noise goes down with it), shorter follows better.
        /// </summary>
        public double VelocityBaselineMs { get; set; } = 40.0;

        /// <summary>Poses further apart than this are not interpolated between.</summary>
        public double LargestGapMs { get; set; } = 100.0;

        /// <summary>
        /// Age of its newest pose from which on a tool is stale: greyed. Null, the default, as the server says (100 if it does
        /// not); a number counts only where it is stricter than the server.
        /// </summary>
        public double? StaleAfterMs { get; set; }

        /// <summary>Age from which on it is hidden. Null, as the server says (250 if it does not); otherwise likewise.</summary>
        public double? HideAfterMs { get; set; }

        /// <summary>
        /// Take surfaces that nobody has approved where the server runs a research session. Only for an application that
        /// says so on screen: ClientStatus.ResearchSession.
        /// </summary>
        public bool ShowSuggestedSurfaces { get; set; }

        /// <summary>Of all surfaces together; one that would go beyond is refused before its first byte.</summary>
        public long MaxSurfaceBytes { get; set; } = 512L * 1024 * 1024;

        /// <summary>
        /// How surfaces travel: compressed to another machine, as they are on this one. Unpacking costs time, and pays on
        /// links of up to some hundred Mbit/s.
        /// </summary>
        public SurfaceForm SurfaceForm { get; set; } = SurfaceForm.Auto;

        /// <summary>
        /// Of all surfaces together: finer levels of detail are pulled as long as they keep to it; the coarsest always.
        /// 0 for the full surfaces.
        /// </summary>
        public long MaxTriangles { get; set; }

        /// <summary>
        /// The application places the server's self-test itself (NavigationClient.TryTakeSelfTest), as one with a scene
        /// must; otherwise the client does, by its own arithmetic.
        /// </summary>
        public bool PlacesSelfTestItself { get; set; }

        /// <summary>How often to report to the server what was received; 0 never.</summary>
        public double ReportEveryMs { get; set; } = 5000.0;

        /// <summary>Settings of an enrolment, as `surgnav keys enroll` shows it and its QR code holds it.</summary>
        /// <exception cref="SettingsException">Not an enrolment, or without the client's secret key.</exception>
        public static ClientSettings FromEnrolment(string text)
        {
            var enrolment = Enrolment.Parse(text);
            return new ClientSettings
            {
                Name = enrolment.Name,
                Keys = enrolment.Keys,
                PoseEndpoint = enrolment.Endpoint(enrolment.PosePort),
                SurfaceEndpoint = enrolment.Endpoint(enrolment.SurfacePort),
                ControlEndpoint = enrolment.Endpoint(enrolment.ControlPort),
            };
        }

        /// <exception cref="SettingsException">A missing endpoint, or limits that contradict one another.</exception>
        internal ClientSettings Checked()
        {
            CheckEndpoint(PoseEndpoint, nameof(PoseEndpoint));
            CheckEndpoint(SurfaceEndpoint, nameof(SurfaceEndpoint));
            CheckEndpoint(ControlEndpoint, nameof(ControlEndpoint));
            CheckRange(DisplayDelayMs, 0.0, 1000.0, nameof(DisplayDelayMs));
            CheckRange(PredictionCapMs, 0.0, 200.0, nameof(PredictionCapMs));
            CheckRange(VelocityBaselineMs, 1.0, 500.0, nameof(VelocityBaselineMs));
            CheckRange(LargestGapMs, 1.0, 1000.0, nameof(LargestGapMs));
            CheckRange(StaleAfterMs ?? 1.0, 1.0, 10_000.0, nameof(StaleAfterMs));
            CheckRange(HideAfterMs ?? 60_000.0, StaleAfterMs ?? 1.0, 60_000.0, nameof(HideAfterMs));
            CheckRange(ReportEveryMs, 0.0, 3_600_000.0, nameof(ReportEveryMs));
            CheckRange(MaxTriangles, 0.0, 1e12, nameof(MaxTriangles));
            CheckRange(MaxSurfaceBytes, 0.0, 64.0 * 1024 * 1024 * 1024, nameof(MaxSurfaceBytes));
            return (ClientSettings)MemberwiseClone();
        }

        private static void CheckEndpoint(string endpoint, string name)
        {
            if (endpoint is null || !endpoint.StartsWith("tcp://", StringComparison.Ordinal))
            {
                throw new SettingsException($"{name} '{endpoint}'", "tcp://HOST:PORT", "copy it from the server's screen");
            }
        }

        private static void CheckRange(double value, double low, double high, string name)
        {
            // Written so that NaN fails.
            if (!(value >= low && value <= high))
            {
                throw new SettingsException($"{name} = {value}", $"{low} to {high}", "choose a value in this range");
            }
        }
    }

    /// <summary>How surfaces travel.</summary>
    public enum SurfaceForm : byte
    {
        Auto = 0,
        Raw = 1,
        Compressed = 2,
    }

    /// <summary>Settings that cannot be.</summary>
    public sealed class SettingsException : Exception
    {
        public SettingsException(string came, string allowed, string action)
            : base($"Got {came}; expected {allowed}. Fix: {action}.")
        {
        }
    }
}
