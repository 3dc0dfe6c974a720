#nullable enable
using Unity.Collections;
using UnityEngine;
using SelfTest = SurgNav.Core.Client.SelfTest;

namespace SurgNav.Unity
{
    /// <summary>
    /// Answers the server's self-test with objects that exist for one frame: placed, uploaded and read back by the code
    /// that everything else goes through, so that what the server judges is what the surgeon would see.
    /// </summary>
    internal static class SelfTestRig
    {
        internal static void Place(SelfTest test)
        {
            var root = new GameObject(test.Root);
            try
            {
                var upload = new SurfaceUpload(test.Mesh, false);
                var mesh = upload.Apply(true);
                try
                {
                    PlaceAll(test, root.transform, mesh);
                }
                finally
                {
                    Object.DestroyImmediate(mesh);
                }
            }
            finally
            {
                Object.DestroyImmediate(root);
            }

            test.Send();
        }

        private static void PlaceAll(SelfTest test, Transform root, Mesh mesh)
        {
            using var data = Mesh.AcquireReadOnlyMeshData(mesh);
            for (int batch = 0; batch < test.BatchCount; batch++)
            {
                var frame = Chain(test, batch, root);
                var drawn = new GameObject(test.Mesh.Name, typeof(MeshFilter), typeof(MeshRenderer));
                drawn.GetComponent<MeshFilter>().sharedMesh = mesh;
                Placement.Hang(drawn.transform, frame, test.Mesh);
                Report(test, batch, drawn.transform, new DrawnMesh(data[0], test.Mesh.IndexBytes));
            }
        }

        /// <summary>Every tool below that of its `to frame`; returns the one that the surface hangs from.</summary>
        private static Transform Chain(SelfTest test, int batch, Transform root)
        {
            var tools = test.PosesOf(batch).Tools;
            var made = new Transform[tools.Length];
            for (int at = 0; at < tools.Length; at++)
            {
                made[at] = new GameObject(tools[at].FromFrame).transform;
            }

            var hangsFrom = root;
            for (int at = 0; at < tools.Length; at++)
            {
                made[at].SetParent(Named(tools[at].ToFrame, made, root), false);
                Placement.Put(made[at], tools[at]);
                hangsFrom = tools[at].FromFrame == test.Mesh.Frame ? made[at] : hangsFrom;
            }

            return hangsFrom;
        }

        private static Transform Named(string frame, Transform[] made, Transform root)
        {
            foreach (var each in made)
            {
                if (each.name == frame)
                {
                    return each;
                }
            }

            return root;
        }

        private static void Report(SelfTest test, int batch, Transform drawn, DrawnMesh mesh)
        {
            // As shaders turn normals: by the inverse's transpose, which a mirrored or stretched object needs.
            var turnNormals = drawn.worldToLocalMatrix.transpose;
            foreach (int vertex in test.Vertices)
            {
                var position = drawn.TransformPoint(mesh.Position(vertex));
                var normal = turnNormals.MultiplyVector(mesh.Normal(vertex)).normalized;
                test.PutPoint(batch, vertex, Placement.ToDouble3(position), Placement.ToDouble3(normal));
            }

            // Unity culls the other side where the scale is negative.
            float side = drawn.localToWorldMatrix.determinant < 0 ? -1 : 1;
            foreach (uint triangle in test.Triangles)
            {
                var a = drawn.TransformPoint(mesh.Position(mesh.Corner(triangle, 0)));
                var b = drawn.TransformPoint(mesh.Position(mesh.Corner(triangle, 1)));
                var c = drawn.TransformPoint(mesh.Position(mesh.Corner(triangle, 2)));
                test.PutTriangle(batch, triangle, Placement.ToDouble3(side * Vector3.Cross(b - a, c - a)));
            }
        }

        /// <summary>What the graphics card is given, read as it reads it.</summary>
        private readonly struct DrawnMesh
        {
            private readonly NativeArray<ushort> vertices;
            private readonly NativeArray<sbyte> normals;
            private readonly NativeArray<ushort> indices;
            private readonly int halves;

            internal DrawnMesh(Mesh.MeshData mesh, int indexBytes)
            {
                vertices = mesh.GetVertexData<ushort>();
                normals = mesh.GetVertexData<sbyte>();
                indices = mesh.GetIndexData<ushort>();
                halves = indexBytes / 2;
            }

            internal Vector3 Position(int vertex)
            {
                int at = vertex * 6;
                return new Vector3(vertices[at], vertices[at + 1], vertices[at + 2]) / ushort.MaxValue;
            }

            internal Vector3 Normal(int vertex)
            {
                int at = (vertex * 12) + 8;
                return new Vector3(normals[at], normals[at + 1], normals[at + 2]) / sbyte.MaxValue;
            }

            internal int Corner(uint triangle, int corner)
            {
                int at = (((int)triangle * 3) + corner) * halves;
                return halves == 1 ? indices[at] : indices[at] | (indices[at + 1] << 16);
            }
        }
    }
}
