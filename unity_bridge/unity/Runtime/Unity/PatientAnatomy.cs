#nullable enable
using System;
using System.Collections.Generic;
using SurgNav.Core.Client;
using SurgNav.Core.Wire;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>How a surface looks.</summary>
    [Serializable]
    public sealed class SurfaceStyle
    {
        [Tooltip("The surface's name, such as bone; it may end with * for all that begin so.")]
        public string surface = "";

        public Color colour = Color.white;

        [Tooltip("Nothing: the anatomy's.")]
        public Material? material = null;

        internal bool Fits(string name)
        {
            return surface.EndsWith("*", StringComparison.Ordinal)
                ? name.StartsWith(surface.Substring(0, surface.Length - 1), StringComparison.Ordinal)
                : string.Equals(surface, name, StringComparison.Ordinal);
        }
    }

    /// <summary>
    /// The server's surfaces as meshes, each below the frame that it hangs from (a TrackedTool whose `from frame` has that
    /// name, such as the tool patient for ct), coarse first. They are seen as far as that frame is.
    /// </summary>
    [AddComponentMenu("SurgNav/Patient Anatomy")]
    [DisallowMultipleComponent]
    [DefaultExecutionOrder(-800)]
    public sealed class PatientAnatomy : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Nothing: the one in the objects above.")]
        private SurgNavConnection? connection = null;

        [SerializeField]
        private Material? material = null;

        [SerializeField]
        [Tooltip("The first that fits counts.")]
        private SurfaceStyle[] styles = Array.Empty<SurfaceStyle>();

        [SerializeField]
        [Tooltip("Copy the bytes beside the main thread.")]
        private bool fillOnWorker = true;

        [SerializeField]
        [Tooltip("Keep a second copy of each mesh in memory, for colliders.")]
        private bool keepReadable = false;

        private readonly List<ShownSurface> shown = new List<ShownSurface>();
        private readonly List<SurfaceUpload> uploads = new List<SurfaceUpload>();
        private string trouble = "";

        /// <summary>Why there is no anatomy at all; empty if there may be.</summary>
        public string Problem => trouble;

        /// <summary>The surfaces, and why each is not shown.</summary>
        public IReadOnlyList<ShownSurface> Surfaces => shown;

        /// <summary>Surfaces on their way to the graphics card.</summary>
        public int Uploading => uploads.Count;

        private void OnEnable()
        {
            connection = connection ? connection : GetComponentInParent<SurgNavConnection>();
            trouble = SurfaceUpload.Trouble() ?? "";
            if (!connection)
            {
                trouble = "no SurgNavConnection in the objects above";
            }
            else if (!connection!.Claim(this))
            {
                trouble = "another PatientAnatomy takes this connection's surfaces";
            }

            if (trouble.Length > 0)
            {
                Debug.LogError($"SurgNav shows no anatomy: {trouble}", this);
            }
        }

        private void OnDisable()
        {
            foreach (var upload in uploads)
            {
                upload.Abandon();
            }

            uploads.Clear();
            foreach (var each in shown)
            {
                each.Hide("the anatomy is disabled");
            }

            if (connection)
            {
                connection!.Unclaim(this);
            }
        }

        private void OnDestroy()
        {
            foreach (var each in shown)
            {
                each.Discard();
            }
        }

        private void Update()
        {
            if (trouble.Length > 0)
            {
                return;
            }

            while (connection!.TryTakeSurfaceChange(out var change))
            {
                Take(change);
            }

            // In the order in which they came, or a coarse surface could take a finer one's place.
            while (uploads.Count > 0 && uploads[0].IsDone)
            {
                var upload = uploads[0];
                uploads.RemoveAt(0);
                Show(upload);
            }

            for (int at = 0; at < shown.Count; at++)
            {
                shown[at].Refresh(connection);
            }
        }

        private void Take(in SurfaceChange change)
        {
            if (change.Kind == SurfaceChangeKind.Added && change.Mesh != null)
            {
                uploads.Add(new SurfaceUpload(change.Mesh, fillOnWorker));
                return;
            }

            for (int at = uploads.Count - 1; at >= 0; at--)
            {
                if (uploads[at].Source.Name == change.Name)
                {
                    uploads[at].Abandon();
                    uploads.RemoveAt(at);
                }
            }

            int old = Find(change.Name);
            if (old >= 0)
            {
                shown[old].Discard();
                shown.RemoveAt(old);
            }
        }

        private void Show(SurfaceUpload upload)
        {
            int at = Find(upload.Source.Name);
            if (at < 0)
            {
                at = shown.Count;
                shown.Add(new ShownSurface(upload.Source.Name, StyleOf(upload.Source.Name), material));
            }

            shown[at].Take(upload.Source, upload.Apply(keepReadable));
        }

        private int Find(string name)
        {
            for (int at = 0; at < shown.Count; at++)
            {
                if (shown[at].Name == name)
                {
                    return at;
                }
            }

            return -1;
        }

        private SurfaceStyle? StyleOf(string name)
        {
            foreach (var style in styles)
            {
                if (style.Fits(name))
                {
                    return style;
                }
            }

            return null;
        }
    }

    /// <summary>One surface in the scene.</summary>
    public sealed class ShownSurface
    {
        private readonly GameObject drawn;
        private readonly MeshFilter filter;
        private readonly Tint tint;
        private SurfaceMesh? surface;
        private Transform? hangsFrom;

        internal ShownSurface(string name, SurfaceStyle? style, Material? material)
        {
            Name = name;
            drawn = new GameObject(name, typeof(MeshFilter), typeof(MeshRenderer));
            filter = drawn.GetComponent<MeshFilter>();
            drawn.GetComponent<MeshRenderer>().sharedMaterial = style?.material ? style!.material : material;
            tint = new Tint(drawn, style?.colour);
        }

        public string Name { get; }

        public ToolDisplay Display { get; private set; }

        /// <summary>Why it is not shown as it is; empty if it is.</summary>
        public string Reason { get; private set; } = "";

        /// <summary>The object that is drawn, for colliders and the like.</summary>
        public GameObject Drawn => drawn;

        /// <summary>Nobody approved it: say so on screen.</summary>
        public bool IsSuggested => surface is { IsSuggested: true };

        /// <summary>The finer or the newer one takes the place of the other.</summary>
        internal void Take(SurfaceMesh source, Mesh mesh)
        {
            var old = filter.sharedMesh;
            filter.sharedMesh = mesh;
            surface = source;
            hangsFrom = null;
            if (old)
            {
                UnityEngine.Object.Destroy(old);
            }
        }

        internal void Refresh(SurgNavConnection connection)
        {
            if (!drawn)
            {
                Hide("its object was destroyed from elsewhere");
                return;
            }

            var frame = connection.FindFrame(surface!.Frame);
            if (frame is null)
            {
                Hide("the frame that it hangs from is not in the scene, or has never been tracked");
                return;
            }

            if (surface.IsSuggested && !connection.Status.ResearchSession)
            {
                Hide("nobody has approved it");
                return;
            }

            if (!ReferenceEquals(hangsFrom, frame.transform))
            {
                hangsFrom = frame.transform;
                Placement.Hang(drawn.transform, hangsFrom, surface);
            }

            frame.Refresh();
            Display = frame.Display;
            Reason = frame.Reason;
            tint.Apply(Display);
        }

        internal void Hide(string reason)
        {
            Display = ToolDisplay.Hidden;
            Reason = reason;
            if (drawn)
            {
                tint.Apply(Display);
            }
        }

        internal void Discard()
        {
            if (!drawn)
            {
                return;
            }

            if (filter.sharedMesh)
            {
                UnityEngine.Object.Destroy(filter.sharedMesh);
            }

            UnityEngine.Object.Destroy(drawn);
        }
    }
}
