#nullable enable
using System.Collections.Generic;
using SurgNav.Core.Wire;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// An object to be placed as everything else is, and reported where it then is. The application makes an empty
    /// GameObject at the world's origin, unturned and unscaled, for the frame Root; then for each batch puts every tool
    /// of PosesOf under its `to frame`, hangs the mesh from the tool whose `from frame` is the mesh's frame, and reports
    /// every vertex of Vertices and every triangle of Triangles from the GameObject that would be drawn; then sends.
    /// </summary>
    public sealed class SelfTest
    {
        private readonly PoseFrame[] frames;
        private readonly SelfTestReport report = new SelfTestReport();

        internal SelfTest(SelfTestTask task, SurfaceMesh mesh, PoseFrame[] frames)
        {
            this.frames = frames;
            Root = task.Root;
            Mesh = mesh;
            Triangles = task.Triangles;
            var vertices = new List<int>();
            foreach (var point in task.Points)
            {
                vertices.Add((int)point.Vertex);
            }

            Vertices = vertices;
            report.Challenge = task.Challenge;
            for (int batch = 0; batch < frames.Length; batch++)
            {
                report.Placements.Add(new Placement { Batch = (uint)batch });
            }
        }

        /// <summary>The frame to put at the world's origin, unturned.</summary>
        public string Root { get; }

        public SurfaceMesh Mesh { get; }

        public int BatchCount => frames.Length;

        /// <summary>Indices of the vertices to report.</summary>
        public IReadOnlyList<int> Vertices { get; }

        /// <summary>Indices of the triangles to report.</summary>
        public IReadOnlyList<uint> Triangles { get; }

        internal bool IsSent { get; private set; }

        internal SelfTestReport Report => report;

        public PoseFrame PosesOf(int batch) => frames[batch];

        /// <summary>Where a vertex is in the world: TransformPoint of the drawn object, metres; and its normal.</summary>
        public void PutPoint(int batch, int vertex, Double3 positionM, Double3 normal)
        {
            report.Placements[batch].Points.Add(new PlacedPoint
            {
                Vertex = (uint)vertex,
                PositionM = new[] { positionM.X, positionM.Y, positionM.Z },
                Normal = new[] { normal.X, normal.Y, normal.Z },
            });
        }

        /// <summary>
        /// A vector in the world out of the side of a triangle that is drawn: (b - a) x (c - a) of its corners as they
        /// are drawn, where clockwise is the front; the other way if the object's scale is negative.
        /// </summary>
        public void PutTriangle(int batch, uint triangle, Double3 visibleSide)
        {
            report.Placements[batch].Triangles.Add(new PlacedTriangle
            {
                Triangle = triangle,
                VisibleSide = new[] { visibleSide.X, visibleSide.Y, visibleSide.Z },
            });
        }

        /// <summary>All is reported: it goes to the server.</summary>
        public void Send() => IsSent = true;
    }
}
