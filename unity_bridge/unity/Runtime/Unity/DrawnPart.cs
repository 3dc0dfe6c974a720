#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>An object with a mesh of its own, shown or greyed below the frame that it is placed in, or hidden with a reason.</summary>
    internal class DrawnPart
    {
        private readonly GameObject drawn;
        private readonly Tint tint;

        internal DrawnPart(string name, Material? material, Color? colour)
        {
            Mesh = new Mesh { name = name };
            drawn = new GameObject(name, typeof(MeshFilter), typeof(MeshRenderer));
            drawn.GetComponent<MeshFilter>().sharedMesh = Mesh;
            drawn.GetComponent<MeshRenderer>().sharedMaterial = material;
            tint = new Tint(drawn, colour);
        }

        internal Mesh Mesh { get; }

        internal ToolDisplay Display { get; private set; }

        /// <summary>Why it is not shown as it is; empty if it is.</summary>
        internal string Reason { get; private set; } = "not looked at yet";

        /// <summary>Shown or greyed with the frame, which is not hidden.</summary>
        internal void Show(TrackedFrame frame, ToolDisplay display, string reason)
        {
            Display = display;
            Reason = reason;
            if (drawn.transform.parent != frame.transform)
            {
                drawn.transform.SetParent(frame.transform, false);
            }

            tint.Apply(display);
        }

        internal virtual void Hide(string reason)
        {
            Display = ToolDisplay.Hidden;
            Reason = reason;
            tint.Apply(ToolDisplay.Hidden);
        }

        internal void SetColour(Color colour) => tint.SetColour(colour);

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
