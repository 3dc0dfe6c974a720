#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Where the tip of the TrackedTool above may be, by the server's live error: a sphere made into the ellipsoid that holds
    /// it with a probability of 95 %. Hidden, with the reason, unless the tool is valid and its error known: no ellipsoid
    /// never means no error.
    /// </summary>
    [AddComponentMenu("SurgNav/Tip Error Ellipsoid")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-800)]
    public sealed class TipErrorEllipsoid : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("A sphere of diameter 1, such as Unity's, with a material that is seen through. It is put at the tip.")]
        private GameObject? sphere = null;

        [SerializeField]
        [Tooltip("Let the tip be seen through it.")]
        private Color colour = new Color(1.0f, 0.9f, 0.3f, 0.3f);

        private TrackedTool? tool;
        private GameObject? tinted;
        private Tint? tint;

        /// <summary>Why it is hidden; empty if it is shown.</summary>
        public string Reason { get; private set; } = "not looked at yet";

        private void OnEnable()
        {
            tool = GetComponentInParent<TrackedTool>();
            Hide("not looked at yet");
        }

        private void OnDisable() => Hide("the ellipsoid is disabled");

        private void Update()
        {
            if (!sphere || !tool)
            {
                Hide(tool ? "no sphere is set" : "no TrackedTool in the objects above");
                return;
            }

            if (tinted != sphere)
            {
                tinted = sphere;
                tint = new Tint(sphere!, colour);
            }

            tool!.Refresh();
            if (tool.Display != ToolDisplay.Shown)
            {
                Hide(tool.Reason);
            }
            else if (ErrorEllipsoid.TryOf(tool.View.Covariance, out var ellipsoid))
            {
                Show(sphere!.transform, tool.transform, ellipsoid);
                tint!.Apply(ToolDisplay.Shown);
                Reason = "";
            }
            else
            {
                Hide("the server does not know the error of the tip");
            }
        }

        /// <summary>The ellipsoid has the axes of the frame that the tool's pose is in, the sphere hangs below the tool.</summary>
        private static void Show(Transform sphere, Transform tip, in ErrorEllipsoid ellipsoid)
        {
            var turn = ellipsoid.RotationXyzw;
            if (sphere.parent != tip)
            {
                sphere.SetParent(tip, false);
            }

            sphere.localPosition = Vector3.zero;
            sphere.localRotation = Quaternion.Inverse(tip.localRotation) * new Quaternion(turn.X, turn.Y, turn.Z, turn.W);
            sphere.localScale = 2.0f * Placement.ToVector3(ellipsoid.SemiAxesM);
        }

        private void Hide(string reason)
        {
            Reason = reason;
            tint?.Apply(ToolDisplay.Hidden);
            if (tint is null && sphere && sphere!.activeSelf)
            {
                sphere.SetActive(false);
            }
        }
    }
}
