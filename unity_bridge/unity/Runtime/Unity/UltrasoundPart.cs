#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>The image or the contours of live ultrasound.</summary>
    internal sealed class UltrasoundPart : DrawnPart
    {
        private ulong drawnNumber;

        internal UltrasoundPart(string name, Material? material, Color? colour)
            : base(name, material, colour)
        {
        }

        /// <summary>Shows, greys or hides it; true if there is another frame to draw.</summary>
        internal bool Judge(UltrasoundView view, SurgNavConnection connection)
        {
            if (view.Data is null)
            {
                Hide(view.Reason);
                return false;
            }

            var frame = connection.FindFrame(view.Data.ToFrame);
            if (!frame)
            {
                Hide("no TrackedTool for the frame that the server places ultrasound in");
                return false;
            }

            frame!.Refresh();
            if (frame.Display == ToolDisplay.Hidden)
            {
                Hide(frame.Reason);
                return false;
            }

            bool isGreyed = view.Display == ToolDisplay.Greyed || frame.Display == ToolDisplay.Greyed;
            Show(frame, isGreyed ? ToolDisplay.Greyed : ToolDisplay.Shown, view.Reason.Length > 0 ? view.Reason : frame.Reason);
            bool isNews = view.Data.Number != drawnNumber;
            drawnNumber = view.Data.Number;
            return isNews;
        }

        internal override void Hide(string reason)
        {
            drawnNumber = 0;
            base.Hide(reason);
        }
    }
}
