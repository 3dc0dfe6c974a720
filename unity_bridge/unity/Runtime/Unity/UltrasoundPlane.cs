#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>
    /// Where the ultrasound image is: a rectangle in the frame `image`, below the TrackedTool that has it. Its first pixel is
    /// the frame's origin; rows run along the frame's -x, depth along its -z (x and y of the image in Unity's convention).
    /// The wire has no pictures yet: the plane is empty until an application puts one there.
    /// </summary>
    [AddComponentMenu("SurgNav/Ultrasound Plane")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-800)]
    public sealed class UltrasoundPlane : MonoBehaviour
    {
        [SerializeField]
        private Material? material = null;

        [SerializeField]
        [Tooltip("Along a row.")]
        [Min(1)]
        private float widthMm = 50.0f;

        [SerializeField]
        [Tooltip("From the probe's face to the last row.")]
        [Min(1)]
        private float depthMm = 60.0f;

        private TrackedFrame? frame;
        private GameObject? drawn;
        private Mesh? mesh;
        private Tint? tint;
        private Texture? picture;

        public ToolDisplay Display { get; private set; }

        public string Reason { get; private set; } = "";

        /// <summary>
        /// A picture of the plane, its first row nearest to the probe. Take it away (null) when it is old: nothing here
        /// knows when it was taken.
        /// </summary>
        public Texture? Picture
        {
            get => picture;
            set
            {
                picture = value;
                tint?.SetPicture(value);
            }
        }

        private void OnEnable()
        {
            frame = GetComponentInParent<TrackedFrame>();
            Build();
        }

        private void OnDisable() => Show(Judgement.Hidden("the plane is disabled"));

        private void OnDestroy()
        {
            if (mesh)
            {
                Destroy(mesh!);
            }
        }

        private void Update()
        {
            if (!frame)
            {
                Show(Judgement.Hidden("no TrackedTool in the objects above"));
                return;
            }

            frame!.Refresh();
            Show(frame.Judgement);
        }

        private void Show(Judgement judged)
        {
            Display = judged.Display;
            Reason = judged.Reason;
            tint?.Apply(judged.Display);
        }

        private void Build()
        {
            if (drawn)
            {
                return;
            }

            // Seen from both sides: four corners for each, since their normals differ.
            var right = new Vector3(-widthMm / 1000, 0, 0);
            var down = new Vector3(0, 0, -depthMm / 1000);
            mesh = new Mesh { name = "ultrasound plane" };
            mesh.vertices = new[]
            {
                Vector3.zero, right, down, right + down,
                Vector3.zero, right, down, right + down,
            };

            // Unity's textures begin at the bottom, ultrasound at the top.
            var corners = new[] { new Vector2(0, 1), new Vector2(1, 1), new Vector2(0, 0), new Vector2(1, 0) };
            mesh.uv = new[] { corners[0], corners[1], corners[2], corners[3], corners[0], corners[1], corners[2], corners[3] };
            mesh.triangles = new[] { 0, 2, 1, 1, 2, 3, 4, 5, 6, 5, 7, 6 };
            mesh.RecalculateNormals();
            mesh.RecalculateBounds();
            drawn = new GameObject("plane", typeof(MeshFilter), typeof(MeshRenderer));
            drawn.transform.SetParent(frame ? frame!.transform : transform, false);
            drawn.GetComponent<MeshFilter>().sharedMesh = mesh;
            drawn.GetComponent<MeshRenderer>().sharedMaterial = material;
            tint = new Tint(drawn);
            tint.SetPicture(picture);
        }
    }
}
