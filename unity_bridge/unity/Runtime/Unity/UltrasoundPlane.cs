#nullable enable
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Live ultrasound in the patient: the image in its plane and the contours as lines, below the TrackedFrame that the
    /// server places them in. What is old is greyed, then hidden, by the headset's own clock; what has no place is hidden. An
    /// image whose place is doubted is greyed, and has no contours: these would say where something is. The text says why.
    /// Contours come apart from images, and do not wait for them.
    /// </summary>
    [AddComponentMenu("SurgNav/Ultrasound Plane")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-800)]
    public sealed class UltrasoundPlane : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        [Tooltip("With a texture: it gets the image.")]
        private Material? imageMaterial = null;

        [SerializeField]
        [Tooltip("One that lights itself, seen through the image.")]
        private Material? contourMaterial = null;

        [SerializeField]
        private Color contourColour = new Color(1.0f, 0.8f, 0.1f);

        [SerializeField]
        [Min(0.1f)]
        private float lineMm = 0.6f;

        [SerializeField]
        private TextOutput output = new TextOutput();

        private readonly UltrasoundView image = new UltrasoundView();
        private readonly UltrasoundView contours = new UltrasoundView();
        private readonly Vector3[] corners = new Vector3[8];
        private readonly ContourLines lines = new ContourLines();
        private UltrasoundPart? imagePart;
        private UltrasoundPart? contourPart;
        private Texture2D? texture;

        /// <summary>What is to be seen of the contours.</summary>
        public ToolDisplay Display => contourPart?.Display ?? ToolDisplay.Hidden;

        /// <summary>Of the image.</summary>
        public ToolDisplay ImageDisplay => imagePart?.Display ?? ToolDisplay.Hidden;

        /// <summary>Why the contours are not shown as they are; empty if they are.</summary>
        public string Reason => contourPart?.Reason ?? "not looked at yet";

        public TextOutput Output => output;

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            imagePart ??= new UltrasoundPart("ultrasound image", imageMaterial, null);
            contourPart ??= new UltrasoundPart("ultrasound contours", contourMaterial, contourColour);
        }

        private void OnDisable()
        {
            imagePart?.Hide("the plane is disabled");
            contourPart?.Hide("the plane is disabled");
            output.Put("");
        }

        private void OnDestroy()
        {
            imagePart?.Destroy();
            contourPart?.Destroy();
            if (texture)
            {
                Destroy(texture!);
            }
        }

        private void Update()
        {
            if (!connection)
            {
                contourPart!.Hide("no SurgNavConnection in the objects above");
                output.Put(Reason);
                return;
            }

            connection!.ReadUltrasound(false, contours);
            if (!contours.ShowsContours)
            {
                contours.Hide(contours.Reason);
            }

            if (contourPart!.Judge(contours, connection))
            {
                lines.Draw(contours.Data!, lineMm / 2000.0f, contourPart.Mesh);
            }

            connection.ReadUltrasound(true, image);
            if (imagePart!.Judge(image, connection))
            {
                DrawImage(image.Data!);
            }

            output.Paint(Display == ToolDisplay.Shown ? Color.white : Tint.Grey);
            output.Put(Reason);
        }

        /// <summary>Four corners for each side, since their normals differ; pixels reach half of one beyond their middles.</summary>
        private void DrawImage(UltrasoundData data)
        {
            var first = Placement.ToVector3(data.FirstPixelM);
            var x = Placement.ToVector3(data.AlongXM);
            var y = Placement.ToVector3(data.AlongYM);
            for (int at = 0; at < corners.Length; at++)
            {
                float right = (at & 1) * data.WidthPx;
                float down = ((at >> 1) & 1) * data.HeightPx;
                corners[at] = first + ((right - 0.5f) * x) + ((down - 0.5f) * y);
            }

            var mesh = imagePart!.Mesh;
            mesh.vertices = corners;
            if (!texture)
            {
                // Unity's textures begin at the bottom, ultrasound at the top.
                var uv = new[] { new Vector2(0, 1), new Vector2(1, 1), new Vector2(0, 0), new Vector2(1, 0) };
                mesh.uv = new[] { uv[0], uv[1], uv[2], uv[3], uv[0], uv[1], uv[2], uv[3] };
                mesh.triangles = new[] { 0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6 };
                texture = new Texture2D(2, 2);
            }

            mesh.RecalculateBounds();
            if (data.Image.Length > 0 && texture!.LoadImage(data.ImageBuffer))
            {
                imagePart.SetPicture(texture!);
            }
        }
    }
}
