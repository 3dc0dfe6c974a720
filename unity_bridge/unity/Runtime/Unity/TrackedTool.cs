#nullable enable
using System;
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// A tool of the server: its pose is this object's localPosition and localRotation. Its parent is the object of the
    /// frame that the pose is in. A tool that is lost stays where it was, and is not seen.
    /// </summary>
    [AddComponentMenu("SurgNav/Tracked Tool")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-900)]
    public sealed class TrackedTool : TrackedFrame
    {
        [SerializeField]
        [Tooltip("Its name on the wire, such as stylus, reference or patient.")]
        private string tool = "stylus";

        private Transform? knownParent;
        private TrackedFrame? parentFrame;
        private ToolView view;
        private string absent = "";
        private string below = "";
        private string parentReason = "";
        private string misplaced = "";
        private string misplacedIn = "";

        /// <summary>Its name on the wire.</summary>
        public string Tool => tool;

        public override string FrameName => view.FromFrame ?? "";

        /// <summary>Of the tool alone, whatever is above it: what an alignment may be taken from.</summary>
        public ToolDisplay OwnDisplay { get; private set; }

        /// <summary>As the client has it; with a pose unless <see cref="OwnDisplay"/> is Hidden.</summary>
        public ToolView View => view;

        protected override Judgement Judge()
        {
            OwnDisplay = ToolDisplay.Hidden;
            if (!Connection)
            {
                return Judgement.Hidden("no SurgNavConnection in the objects above");
            }

            // First of all: of a link that does not run the last poses may still be there.
            if (Connection!.Problem.Length > 0)
            {
                return Judgement.Hidden(Connection.Problem);
            }

            if (!Connection.Frame.TryFind(tool, out var found))
            {
                return Judgement.Hidden(Connection.Frame.Count > 0 ? Absent() : Connection.WhyNothing);
            }

            view = found;
            var above = ParentFrame();
            if (above is null)
            {
                return Judgement.Hidden("its parent is no frame: put it below a HeadsetAnchor or a TrackedTool");
            }

            above.Refresh();
            if (!string.Equals(above.FrameName, view.ToFrame, StringComparison.Ordinal))
            {
                return Judgement.Hidden(above.FrameName.Length == 0 ? above.Reason : Misplaced(above.FrameName));
            }

            if (view.Display == ToolDisplay.Hidden)
            {
                return new Judgement(ToolDisplay.Hidden, view.Validity, view.Reason);
            }

            Placement.Put(transform, view);
            OwnDisplay = view.Display;
            return above.Display < view.Display
                ? new Judgement(above.Display, above.Validity, Below(above))
                : new Judgement(view.Display, view.Validity, view.Reason);
        }

        private TrackedFrame? ParentFrame()
        {
            var parent = transform.parent;
            if (!ReferenceEquals(parent, knownParent))
            {
                knownParent = parent;
                parentFrame = parent ? parent.GetComponent<TrackedFrame>() : null;
            }

            return parentFrame ? parentFrame : null;
        }

        // The reasons are put together when they change, not in every frame.
        private string Absent()
        {
            return absent.Length > 0 ? absent : absent = $"the server sends no tool '{tool}'";
        }

        private string Below(TrackedFrame above)
        {
            if (!ReferenceEquals(above.Reason, parentReason))
            {
                parentReason = above.Reason;
                below = $"{above.FrameName}: {parentReason}";
            }

            return below;
        }

        private string Misplaced(string parentName)
        {
            if (misplacedIn != parentName)
            {
                misplacedIn = parentName;
                misplaced = $"its parent is the frame '{parentName}', its pose is in '{view.ToFrame}': move it there";
            }

            return misplaced;
        }
    }
}
