#nullable enable
using System.Text;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>Says what is not shown as it is, and why: links, self-test, registration, tools, surfaces.</summary>
    [AddComponentMenu("SurgNav/Status Panel")]
    [DefaultExecutionOrder(-600)]
    public sealed class StatusPanel : MonoBehaviour
    {
        private const float SecondsBetweenTexts = 0.1f;

        private static readonly Color Trouble = new Color(1.0f, 0.75f, 0.2f, 1);

        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        private PatientAnatomy? anatomy = null;

        [SerializeField]
        private TextOutput output = new TextOutput();

        private readonly StringBuilder words = new StringBuilder(512);
        private float nextTextAt;
        private bool allIsWell;

        /// <summary>Everything is shown as it is.</summary>
        public bool AllIsWell => allIsWell;

        public string Text => output.Text;

        public TextOutput Output => output;

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            nextTextAt = 0;
        }

        private void Update()
        {
            if (Time.unscaledTime < nextTextAt)
            {
                return;
            }

            nextTextAt = Time.unscaledTime + SecondsBetweenTexts;
            words.Clear();
            allIsWell = true;
            if (!connection)
            {
                Add("SurgNav", "no SurgNavConnection in the objects above");
            }
            else
            {
                AddConnection(connection!);
                AddFrames(connection!);
                AddAnatomy();
            }

            output.Put(words);
            output.Paint(allIsWell ? Color.white : Trouble);
        }

        private void AddConnection(SurgNavConnection link)
        {
            var status = link.Status;
            if (status.ResearchSession)
            {
                Add("RESEARCH SESSION", "surfaces that nobody has approved may be shown");
            }

            if (link.Problem.Length > 0)
            {
                Add("not connected", link.Problem);
                return;
            }

            AddLink("poses", status.Poses);
            AddLink("surfaces", status.Surfaces);
            AddLink("control", status.Control);
            if (status.SelfTest == SelfTestStatus.Failed)
            {
                Add("self-test failed", status.SelfTestReason);
            }
            else if (status.SelfTest != SelfTestStatus.Passed && status.SelfTest != SelfTestStatus.NotNeeded)
            {
                Add("self-test", "not passed yet");
            }

            if (link.Frame.Validity != Validity.Valid)
            {
                Add(link.Frame.Validity.Word(), link.Frame.Reason);
            }

            if (status.IsWelcomed)
            {
                Line(status.ServerName, status.Notice);
            }

            if (status.SelectedTarget.Length > 0)
            {
                Line("target", status.SelectedTarget);
            }
        }

        private void AddLink(string name, LinkStatus link)
        {
            if (link.State != LinkState.Open)
            {
                string state = link.State switch
                {
                    LinkState.Connecting => "connecting",
                    LinkState.Refused => "refused",
                    _ => "stopped",
                };
                Add(name, string.IsNullOrEmpty(link.Reason) ? state : link.Reason);
            }
        }

        private void AddFrames(SurgNavConnection link)
        {
            var frames = link.Frames;
            for (int at = 0; at < frames.Count; at++)
            {
                var frame = frames[at];
                if (frame.Display != ToolDisplay.Shown)
                {
                    Add(frame.name, frame.Reason);
                }
            }
        }

        private void AddAnatomy()
        {
            if (!anatomy)
            {
                return;
            }

            if (anatomy!.Problem.Length > 0)
            {
                Add("anatomy", anatomy.Problem);
            }

            var surfaces = anatomy.Surfaces;
            for (int at = 0; at < surfaces.Count; at++)
            {
                var surface = surfaces[at];
                if (surface.IsSuggested)
                {
                    Add(surface.Name, "NOT APPROVED");
                }
                else if (surface.Display != ToolDisplay.Shown)
                {
                    Add(surface.Name, surface.Reason);
                }
            }
        }

        private void Add(string what, string why)
        {
            allIsWell = false;
            Line(what, why);
        }

        private void Line(string what, string why)
        {
            if (words.Length > 0)
            {
                words.Append('\n');
            }

            words.Append(what);
            if (why.Length > 0)
            {
                words.Append(": ").Append(why);
            }
        }
    }
}
