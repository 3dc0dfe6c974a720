#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>The image or the contours of live ultrasound: an object below the frame that it is placed in, or hidden.</summary>
    internal sealed class UltrasoundPart
    {
        private readonly GameObject drawn;
        private readonly Tint tint;
        private ulong drawnNumber;

        internal UltrasoundPart(string name, Material? material, Color? colour)
        {
            Mesh = new Mesh { name = name };
            drawn = new GameObject(name, typeof(MeshFilter), typeof(MeshRenderer));
            drawn.GetComponent<MeshFilter>().sharedMesh = Mesh;
            drawn.GetComponent<MeshRenderer>().sharedMaterial = material;
            tint = new Tint(drawn, colour);
        }

        internal Mesh Mesh { get; }

        internal ToolDisplay Display { get; private set; }

        internal string Reason { get; private set; } = "not looked at yet";

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
            Display = isGreyed ? ToolDisplay.Greyed : ToolDisplay.Shown;
            Reason = view.Reason.Length > 0 ? view.Reason : frame.Reason;
            if (drawn.transform.parent != frame.transform)
            {
                drawn.transform.SetParent(frame.transform, false);
            }

            tint.Apply(Display);
            bool isNews = view.Data.Number != drawnNumber;
            drawnNumber = view.Data.Number;
            return isNews;
        }

        internal void Hide(string reason)
        {
            Display = ToolDisplay.Hidden;
            Reason = reason;
            drawnNumber = 0;
            tint.Apply(ToolDisplay.Hidden);
        }

        internal void SetPicture(Texture picture) => tint.SetPicture(picture);

        internal void Destroy()
        {
            Object.Destroy(Mesh);
            if (drawn)
            {
                Object.Destroy(drawn);
            }
        }
    }
}
