#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using UnityEditor;
using UnityEngine;

namespace SurgNav.Unity.Editor
{
    /// <summary>
    /// Connects to a server without a scene and without play mode, and shows what comes: tools, surfaces, numbers. While
    /// the scene plays it shows the scene's connection instead.
    /// </summary>
    public sealed class SurgNavWindow : EditorWindow
    {
        [SerializeField]
        private string poseEndpoint = "tcp://127.0.0.1:5570";

        [SerializeField]
        private string surfaceEndpoint = "tcp://127.0.0.1:5571";

        [SerializeField]
        private string controlEndpoint = "tcp://127.0.0.1:5572";

        private readonly PoseFrame frame = new PoseFrame();
        private readonly SortedSet<string> surfaces = new SortedSet<string>(StringComparer.Ordinal);
        private NavigationClient? client;
        private string enrolment = ""; // not serialised: it holds a secret key
        private string problem = "";
        private Vector2 scroll;

        [MenuItem("SurgNav/Connection and statistics")]
        public static void Open() => GetWindow<SurgNavWindow>("SurgNav").Show();

        private void OnEnable() => EditorApplication.update += Pump;

        // Also before Unity reloads the scripts, which would leave the threads of the client behind.
        private void OnDisable()
        {
            EditorApplication.update -= Pump;
            Disconnect();
        }

        private void OnInspectorUpdate() => Repaint();

        private void OnGUI()
        {
            scroll = EditorGUILayout.BeginScrollView(scroll);
            var playing = EditorApplication.isPlaying ? InScene() : null;
            if (playing)
            {
                EditorGUILayout.LabelField("The scene's connection", playing!.name);
                Complain(playing.Problem);
                StatusGui.Draw(playing.Status);
                DrawTools(playing.Frame);
            }
            else
            {
                DrawOwn();
            }

            EditorGUILayout.EndScrollView();
        }

        private static SurgNavConnection? InScene()
        {
#if UNITY_2023_1_OR_NEWER
            return FindFirstObjectByType<SurgNavConnection>();
#else
            return FindObjectOfType<SurgNavConnection>();
#endif
        }

        private void DrawOwn()
        {
            bool connected = client is { IsStarted: true };
            using (new EditorGUI.DisabledScope(connected))
            {
                enrolment = EditorGUILayout.PasswordField("enrolment text", enrolment);
                if (enrolment.Length == 0)
                {
                    poseEndpoint = EditorGUILayout.TextField("poses", poseEndpoint);
                    surfaceEndpoint = EditorGUILayout.TextField("surfaces", surfaceEndpoint);
                    controlEndpoint = EditorGUILayout.TextField("control", controlEndpoint);
                }
            }

            if (GUILayout.Button(connected ? "Disconnect" : "Connect"))
            {
                if (connected)
                {
                    Disconnect();
                }
                else
                {
                    Connect();
                }
            }

            Complain(problem);
            if (client is { IsStarted: true } running)
            {
                StatusGui.Draw(running.Status);
                DrawTools(frame);
                EditorGUILayout.LabelField("surfaces on offer", string.Join(", ", surfaces));
            }
        }

        private static void DrawTools(PoseFrame poses)
        {
            EditorGUILayout.Space();
            foreach (var tool in poses.Tools)
            {
                string pose = tool.Display == ToolDisplay.Hidden
                    ? $"{tool.Validity}: {tool.Reason}"
                    : $"{tool.Validity}  {tool.FromFrame} in {tool.ToFrame}  "
                        + $"({tool.PositionM.X:F3}, {tool.PositionM.Y:F3}, {tool.PositionM.Z:F3}) m  "
                        + $"{tool.AgeNs * 1e-6:F0} ms old";
                EditorGUILayout.LabelField(tool.Tool, pose);
            }
        }

        private static void Complain(string words)
        {
            if (words.Length > 0)
            {
                EditorGUILayout.HelpBox(words, MessageType.Error);
            }
        }

        private void Connect()
        {
            try
            {
                var settings = enrolment.Length > 0
                    ? ClientSettings.FromEnrolment(enrolment)
                    : new ClientSettings
                    {
                        PoseEndpoint = poseEndpoint,
                        SurfaceEndpoint = surfaceEndpoint,
                        ControlEndpoint = controlEndpoint,
                    };
                settings.Name = enrolment.Length > 0 ? settings.Name : "Unity Editor";
                client ??= new NavigationClient(new ZmtpTransport());
                client.Start(settings);
                problem = "";
            }
            catch (Exception error) when (error is SettingsException or TransportException)
            {
                problem = error.Message;
            }
        }

        private void Disconnect()
        {
            client?.Dispose();
            client = null;
            surfaces.Clear();
        }

        private void Pump()
        {
            if (client is null || !client.IsStarted)
            {
                return;
            }

            client.ReadPoses(client.NowNs, frame);
            while (client.Surfaces.TryTakeChange(out var change))
            {
                change.Mesh?.Release();
                if (change.Kind == SurfaceChangeKind.Added)
                {
                    surfaces.Add(change.Name);
                }
                else
                {
                    surfaces.Remove(change.Name);
                }
            }
        }
    }
}
