#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Tests.WireProbe;
using SurgNav.Unity;
using UnityEngine;
using UnityStubs;
using Table = System.Collections.Generic.Dictionary<string, object?>;

namespace SurgNav.Tests.UnityPlayer
{
    /// <summary>What a person would see, as JSON.</summary>
    internal static class Show
    {
        internal static string Everything(Scene scene)
        {
            var frames = new Table();
            var texts = new Table();
            var surfaces = new Table();
            var answers = new Table();
            var ellipsoids = new Table();
            object? ultrasound = null;
            object? trajectory = null;
            string problem = "";
            foreach (var each in scene.Objects)
            {
                if (each.GetComponent<TrackedFrame>() is TrackedFrame frame)
                {
                    frames[each.name] = Frame(frame);
                }

                if (each.GetComponent<TipErrorEllipsoid>() is TipErrorEllipsoid ellipsoid)
                {
                    ellipsoids[each.name] = Ellipsoid(ellipsoid);
                }

                if (each.GetComponent<UltrasoundPlane>() is UltrasoundPlane plane)
                {
                    ultrasound = Ultrasound(plane);
                }

                if (each.GetComponent<TrajectoryOverlay>() is TrajectoryOverlay overlay)
                {
                    trajectory = Trajectory(overlay);
                }

                if (each.GetComponent<TextMesh>() is TextMesh text)
                {
                    texts[each.name] = text.text;
                }

                if (each.GetComponent<PatientAnatomy>() is PatientAnatomy anatomy)
                {
                    surfaces = anatomy.Surfaces.ToDictionary(one => one.Name, one => (object?)Surface(one));
                }

                if (each.GetComponent<LandmarkPicker>() is LandmarkPicker picker)
                {
                    answers[each.name] = picker.LastAnswer;
                }

                if (each.GetComponent<SurgNavConnection>() is SurgNavConnection connection)
                {
                    problem = connection.Problem;
                }
            }

            return Json.Of(new Table
            {
                ["frames"] = frames,
                ["texts"] = texts,
                ["surfaces"] = surfaces,
                ["answers"] = answers,
                ["ellipsoids"] = ellipsoids,
                ["ultrasound"] = ultrasound,
                ["trajectory"] = trajectory,
                ["problem"] = problem,
                ["log"] = Engine.Log,
                ["open_mesh_data"] = MeshStorage.Open,
            });
        }

        /// <summary>Of the sample's sphere, which is below the tool.</summary>
        private static Table Ellipsoid(TipErrorEllipsoid ellipsoid)
        {
            var at = ellipsoid.transform.Find("error");
            return new Table
            {
                ["reason"] = ellipsoid.Reason,
                ["is_seen"] = at && at.gameObject.activeInHierarchy,
                ["position"] = Floats(at.localPosition),
                ["rotation"] = new[] { at.localRotation.x, at.localRotation.y, at.localRotation.z, at.localRotation.w },
                ["scale"] = Floats(at.localScale),
                ["colour"] = Colour(at),
            };
        }

        private static Table Trajectory(TrajectoryOverlay overlay)
        {
            return new Table
            {
                ["display"] = overlay.Display.ToString(),
                ["tip_display"] = overlay.TipDisplay.ToString(),
                ["reason"] = overlay.Reason,
                ["tip_reason"] = overlay.TipReason,
                ["level"] = overlay.Level.ToString(),
                ["plan"] = Part("planned trajectory"),
                ["tip"] = Part("tip beside the trajectory"),
            };
        }

        /// <summary>Image and contours are below the frame that they are placed in.</summary>
        private static Table Ultrasound(UltrasoundPlane plane)
        {
            return new Table
            {
                ["display"] = plane.Display.ToString(),
                ["image_display"] = plane.ImageDisplay.ToString(),
                ["reason"] = plane.Reason,
                ["image"] = Part("ultrasound image"),
                ["contours"] = Part("ultrasound contours"),
            };
        }

        private static Table Part(string name)
        {
            var drawn = Engine.Find(name);
            var mesh = drawn.GetComponent<MeshFilter>().sharedMesh;
            var lines = DrawnMesh.Of(mesh);
            var block = new MaterialPropertyBlock();
            drawn.GetComponent<MeshRenderer>().GetPropertyBlock(block);
            return new Table
            {
                ["is_seen"] = drawn.activeInHierarchy,
                ["parent"] = drawn.transform.parent ? drawn.transform.parent.name : null,
                ["corners"] = mesh.vertices.Select(Floats).ToArray(),
                ["lines"] = lines.Vertices.ToArray().Select(Floats).ToArray(),
                ["triangles"] = lines.Triangles.ToArray(),
                ["colour"] = Colour(drawn.transform),
                ["has_picture"] = block.GetTexture(Shader.PropertyToID("_MainTex")) is Texture2D,
            };
        }

        private static Table Frame(TrackedFrame frame)
        {
            var visual = frame.transform.Find("visual");
            var at = frame.transform;
            var worldAt = at.position;
            return new Table
            {
                ["frame"] = frame.FrameName,
                ["display"] = frame.Display.ToString(),
                ["validity"] = frame.Validity.ToString(),
                ["reason"] = frame.Reason,
                ["position"] = Floats(at.localPosition),
                ["rotation"] = new[] { at.localRotation.x, at.localRotation.y, at.localRotation.z, at.localRotation.w },
                ["world"] = Floats(worldAt),
                ["is_seen"] = visual && visual.gameObject.activeInHierarchy,
                ["colour"] = visual ? Colour(visual) : null,
            };
        }

        private static Table Surface(ShownSurface surface)
        {
            var drawn = surface.Drawn;
            var mesh = drawn.GetComponent<MeshFilter>().sharedMesh;
            var storage = MeshStorage.Of(mesh);
            var part = mesh.GetSubMesh(0);
            return new Table
            {
                ["display"] = surface.Display.ToString(),
                ["reason"] = surface.Reason,
                ["is_seen"] = drawn.activeInHierarchy,
                ["parent"] = drawn.transform.parent ? drawn.transform.parent.name : null,
                ["position"] = Floats(drawn.transform.localPosition),
                ["scale"] = Floats(drawn.transform.localScale),
                ["vertices"] = new ReadOnlyMemory<byte>(storage.Vertices),
                ["indices"] = new ReadOnlyMemory<byte>(storage.Indices),
                ["index_format"] = mesh.indexFormat.ToString(),
                ["attributes"] = mesh.GetVertexAttributes()
                    .Select(each => $"{each.attribute} {each.format} {each.dimension} {each.stream}").ToArray(),
                ["sub_mesh"] = new[] { mesh.subMeshCount, part.indexStart, part.indexCount, part.vertexCount },
                ["bounds"] = Floats(mesh.bounds.center).Concat(Floats(mesh.bounds.size)).ToArray(),
                ["is_readable"] = mesh.isReadable,
                ["colour"] = Colour(drawn.transform),
            };
        }

        private static float[]? Colour(Transform visual)
        {
            var renderers = visual.gameObject.GetComponentsInChildren<Renderer>(true);
            if (renderers.Length == 0)
            {
                return null;
            }

            var block = new MaterialPropertyBlock();
            renderers[0].GetPropertyBlock(block);
            var colour = block.GetColor(Shader.PropertyToID("_Color"));
            return new[] { colour.r, colour.g, colour.b, colour.a };
        }

        private static float[] Floats(Vector3 vector) => new[] { vector.x, vector.y, vector.z };
    }
}
