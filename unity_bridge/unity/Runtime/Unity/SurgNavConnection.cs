#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using SurgNav.Core.Client;
using SurgNav.Core.Transport;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// The link to a SurgNav server: connects while the component is enabled and the app is not paused, reads the poses
    /// once a frame before everything that is placed by them, and answers the server's self-test with real objects.
    /// </summary>
    [AddComponentMenu("SurgNav/Connection")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-1000)]
    public sealed class SurgNavConnection : MonoBehaviour
    {
        [Header("Enrolment (surgnav keys enroll)")]
        [SerializeField]
        [Tooltip("Enrolment text. Whoever has the app can read it: for trials. Otherwise enroll on the device.")]
        private TextAsset? enrolment = null;

        [SerializeField]
        [Tooltip("Use what Enroll() has kept on this device.")]
        private bool useStoredEnrolment = true;

        [Header("Without keys: this machine only")]
        [SerializeField]
        private string poseEndpoint = "tcp://127.0.0.1:5570";

        [SerializeField]
        private string surfaceEndpoint = "tcp://127.0.0.1:5571";

        [SerializeField]
        private string controlEndpoint = "tcp://127.0.0.1:5572";

        [Header("Display")]
        [SerializeField]
        [Tooltip("From reading the poses to light in the eye.")]
        [Min(0)]
        private float displayLeadMs = 20.0f;

        [SerializeField]
        [Tooltip("Shows what was a while ago: smoother, and later. 0 predicts.")]
        [Min(0)]
        private float displayDelayMs = 0.0f;

        [SerializeField]
        [Tooltip("Predict no further than this; then the pose is frozen, greyed and hidden.")]
        [Min(0)]
        private float predictionCapMs = 30.0f;

        [SerializeField]
        [Tooltip("Greyed from this age on. 0: as the server says. It cannot be laxer than the server.")]
        [Min(0)]
        private float staleAfterMs = 0.0f;

        [SerializeField]
        [Tooltip("Hidden from this age on. 0: as the server says. It cannot be laxer than the server.")]
        [Min(0)]
        private float hideAfterMs = 0.0f;

        [SerializeField]
        [Tooltip("Only where a StatusPanel is in view: it says that nobody has approved them.")]
        private bool showSuggestedSurfaces = false;

        private readonly List<TrackedFrame> frames = new List<TrackedFrame>();
        private NavigationClient? client;
        private PatientAnatomy? anatomy;
        private bool paused;
        private string problem = "not started";

        /// <summary>The server has settled something that this client asked: the answer to an event.</summary>
        public event Action<EventAnswer>? Answered;

        /// <summary>Something has changed at the server.</summary>
        public event Action<ServerEvent>? ServerEventHappened;

        /// <summary>Everything tracked, as of this frame.</summary>
        public PoseFrame Frame { get; } = new PoseFrame();

        /// <summary>A snapshot, renewed a few times a second.</summary>
        public ClientStatus Status => client is null ? Nothing : client.Status;

        public bool IsRunning => client is { IsStarted: true };

        /// <summary>Why it does not run: wrong settings, paused, disabled. Empty if it does.</summary>
        public string Problem => problem;

        /// <summary>Why there is nothing to show at all; empty if there are tools.</summary>
        public string WhyNothing
        {
            get
            {
                if (problem.Length > 0)
                {
                    return problem;
                }

                string why = Frame.Reason.Length > 0 ? Frame.Reason : Status.Obstacle;
                return Frame.Count > 0 ? "" : why.Length > 0 ? why : "no poses have come yet";
            }
        }

        /// <summary>The frames in the scene.</summary>
        public IReadOnlyList<TrackedFrame> Frames => frames;

        private static ClientStatus Nothing { get; } = new ClientStatus();

        /// <summary>
        /// Takes an enrolment, such as from a QR code that was scanned: keeps it on this device and connects with it.
        /// </summary>
        /// <returns>Empty, or why it was not taken; then nothing has changed.</returns>
        public string Enroll(string text)
        {
            try
            {
                ClientSettings.FromEnrolment(text);
                EnrolmentStore.Save(text);
            }
            catch (Exception error) when (IsForThePerson(error))
            {
                return error.Message;
            }

            useStoredEnrolment = true;
            enrolment = null;
            Stop("reconnecting");
            StartIfWanted();
            return "";
        }

        /// <summary>The frame of this name, or null.</summary>
        public TrackedFrame? FindFrame(string name)
        {
            for (int at = 0; at < frames.Count; at++)
            {
                if (string.Equals(frames[at].FrameName, name, StringComparison.Ordinal))
                {
                    return frames[at];
                }
            }

            return null;
        }

        /// <summary>The tool of this name on the wire, or null.</summary>
        public TrackedTool? FindTool(string name)
        {
            for (int at = 0; at < frames.Count; at++)
            {
                if (frames[at] is TrackedTool found && string.Equals(found.Tool, name, StringComparison.Ordinal))
                {
                    return found;
                }
            }

            return null;
        }

        /// <summary>Sends what a person did.</summary>
        /// <returns>Empty, or why it was not sent: tell the person.</returns>
        public string Send(ClientEvent happened, out ulong number)
        {
            number = 0;
            if (client is null || problem.Length > 0)
            {
                return problem;
            }

            return client.Events.TrySend(happened, out number) ? "" : "too many events wait for the server's answer";
        }

        /// <summary>The client's monotonic time; 0 before it was started.</summary>
        public long NowNs => client?.NowNs ?? 0;

        /// <summary>A tool beside the plan, now; as NavigationClient.TryReadGuidance.</summary>
        public bool TryReadGuidance(string tool, out ToolGuidance? guidance, out string reason)
        {
            if (client is null || Problem.Length > 0)
            {
                guidance = null;
                reason = Problem;
                return false;
            }

            return client.TryReadGuidance(tool, client.NowNs + (long)(displayLeadMs * 1e6), out guidance, out reason);
        }

        /// <summary>The plan that guidance leads along, now; as NavigationClient.TryReadPlan.</summary>
        public bool TryReadPlan(out GuidancePlan? plan, out string reason)
        {
            if (client is null || Problem.Length > 0)
            {
                plan = null;
                reason = Problem;
                return false;
            }

            return client.TryReadPlan(client.NowNs + (long)(displayLeadMs * 1e6), out plan, out reason);
        }

        /// <summary>Live ultrasound now; as NavigationClient.ReadUltrasound.</summary>
        public void ReadUltrasound(bool withImage, UltrasoundView view)
        {
            if (client is null)
            {
                view.Hide(problem);
                return;
            }

            client.ReadUltrasound(client.NowNs + (long)(displayLeadMs * 1e6), withImage, view);
        }

        /// <summary>Sends what the headset sees; arguments as for NavigationClient.Observe.</summary>
        /// <returns>Empty, or why it was not sent.</returns>
        public string Send(string anchor, long seenNs, IReadOnlyList<ObservedTool> tools)
        {
            return client is null || problem.Length > 0 ? problem : client.Observe(anchor, seenNs, tools);
        }

        /// <summary>Where the frame `tracker` may be shown in the headset's world, or why it may not.</summary>
        public Overlay ReadOverlay(string anchor)
        {
            return client is null || problem.Length > 0 ? Overlay.Hidden(problem) : client.ReadOverlay(anchor);
        }

        internal void Add(TrackedFrame frame) => frames.Add(frame);

        internal void Remove(TrackedFrame frame) => frames.Remove(frame);

        /// <summary>Surfaces go to one PatientAnatomy; false for a second one.</summary>
        internal bool Claim(PatientAnatomy claimant)
        {
            if (anatomy && anatomy != claimant)
            {
                return false;
            }

            anatomy = claimant;
            return true;
        }

        internal void Unclaim(PatientAnatomy claimant)
        {
            if (anatomy == claimant)
            {
                anatomy = null;
            }
        }

        internal bool TryTakeSurfaceChange(out SurfaceChange change)
        {
            change = default;
            return client != null && client.Surfaces.TryTakeChange(out change);
        }

        /// <summary>Wrong settings, an address that is none, a file that cannot be read: its words say what to do.</summary>
        private static bool IsForThePerson(Exception error)
        {
            return error is SettingsException or TransportException or IOException or UnauthorizedAccessException;
        }

        private void OnEnable() => StartIfWanted();

        private void OnDisable() => Stop("the connection is disabled");

        private void OnDestroy() => client?.Dispose();

        // Also comes with false when the app starts, which changes nothing.
        private void OnApplicationPause(bool isPaused)
        {
            paused = isPaused;
            if (isPaused)
            {
                Stop("the app is paused");
            }
            else
            {
                StartIfWanted();
            }
        }

        private void Update()
        {
            if (client is null || !client.IsStarted)
            {
                return;
            }

            client.ReadPoses(client.NowNs + (long)(displayLeadMs * 1e6), Frame);
            if (client.TryTakeSelfTest(out var test))
            {
                SelfTestRig.Place(test);
            }

            while (client.Events.TryTakeAnswer(out var answer))
            {
                Answered?.Invoke(answer);
            }

            while (client.Events.TryTakeServerEvent(out var happened))
            {
                ServerEventHappened?.Invoke(happened);
            }
        }

        private void StartIfWanted()
        {
            if (!isActiveAndEnabled || paused || IsRunning)
            {
                return;
            }

            try
            {
                client ??= new NavigationClient(new ZmtpTransport());
                client.Start(Settings());
                problem = "";
            }
            catch (Exception error) when (IsForThePerson(error))
            {
                problem = error.Message;
                Debug.LogError($"SurgNav does not connect: {problem}", this);
            }
        }

        private void Stop(string reason)
        {
            problem = reason;
            client?.Stop();
        }

        private ClientSettings Settings()
        {
            string? text = enrolment ? enrolment!.text : useStoredEnrolment ? EnrolmentStore.Load() : null;
            var settings = text is null
                ? new ClientSettings
                {
                    Name = Application.productName,
                    PoseEndpoint = poseEndpoint,
                    SurfaceEndpoint = surfaceEndpoint,
                    ControlEndpoint = controlEndpoint,
                }
                : ClientSettings.FromEnrolment(text);
            settings.DisplayDelayMs = displayDelayMs;
            settings.PredictionCapMs = predictionCapMs;
            settings.StaleAfterMs = staleAfterMs > 0 ? staleAfterMs : (double?)null;
            settings.HideAfterMs = hideAfterMs > 0 ? hideAfterMs : (double?)null;
            settings.ShowSuggestedSurfaces = showSuggestedSurfaces;
            settings.PlacesSelfTestItself = true;
            return settings;
        }
    }
}
