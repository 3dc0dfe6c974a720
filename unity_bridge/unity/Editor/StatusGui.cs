#nullable enable
using SurgNav.Core.Client;
using UnityEditor;

namespace SurgNav.Unity.Editor
{
    /// <summary>A client's state and numbers, drawn alike in the window and in the inspector.</summary>
    internal static class StatusGui
    {
        internal static void Draw(ClientStatus status)
        {
            DrawLink("poses", status.Poses);
            DrawLink("surfaces", status.Surfaces);
            DrawLink("control", status.Control);
            EditorGUILayout.LabelField("server", status.IsWelcomed ? status.ServerName : "has not answered yet");
            if (status.Notice.Length > 0)
            {
                EditorGUILayout.HelpBox(status.Notice, MessageType.Info);
            }

            if (status.ResearchSession)
            {
                EditorGUILayout.HelpBox("Research session: surfaces that nobody has approved.", MessageType.Warning);
            }

            EditorGUILayout.LabelField("self-test", Words(status.SelfTest));
            if (status.SelfTestReason.Length > 0)
            {
                EditorGUILayout.HelpBox(status.SelfTestReason, MessageType.Error);
            }

            string reason = status.RegistrationReason.Length > 0 ? $": {status.RegistrationReason}" : "";
            EditorGUILayout.LabelField("registration", $"{status.Registration}{reason}");
            DrawNumbers(status.Statistics);
        }

        private static void DrawNumbers(in ClientStatistics numbers)
        {
            EditorGUILayout.Space();
            EditorGUILayout.LabelField("pose batches", $"{numbers.BatchesReceived} received, {numbers.BatchesLost} lost");
            EditorGUILayout.LabelField("rate", $"{numbers.RateHz:F1} Hz");
            EditorGUILayout.LabelField("sensor to decoded", numbers.HasClockOffset
                ? $"p50 {numbers.LatencyP50Ms:F2} ms, p99 {numbers.LatencyP99Ms:F2} ms, p99.9 {numbers.LatencyP999Ms:F2} ms"
                : "the clocks were not compared yet");
            EditorGUILayout.LabelField("clock", numbers.HasClockOffset
                ? $"known to {numbers.ClockErrorNs * 1e-6:F3} ms"
                : "not compared yet");
            EditorGUILayout.LabelField(
                "surfaces",
                $"{numbers.SurfacesReceived} received ({numbers.SurfaceBytesReceived * 1e-6:F1} MB), "
                + $"{numbers.SurfacesUnderWay} under way");
            if (numbers.MessagesRefused > 0)
            {
                EditorGUILayout.HelpBox(
                    $"{numbers.MessagesRefused} messages refused, the last: {numbers.LastRefusal}", MessageType.Warning);
            }
        }

        private static void DrawLink(string name, LinkStatus link)
        {
            EditorGUILayout.LabelField(name, string.IsNullOrEmpty(link.Reason) ? $"{link.State}" : $"{link.State}: {link.Reason}");
        }

        private static string Words(SelfTestStatus state)
        {
            return state switch
            {
                SelfTestStatus.NotNeeded => "the server has none",
                SelfTestStatus.UnderWay => "under way",
                SelfTestStatus.Passed => "passed",
                SelfTestStatus.Failed => "failed: nothing is shown",
                _ => "not known yet",
            };
        }
    }
}
