#nullable enable
using System;
using System.Buffers.Binary;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>What a decoder reads, in the words of tests/golden/wire/*.json.</summary>
    internal static class Meaning
    {
        /// <summary>JSON, or null where the bytes are refused.</summary>
        internal static string? Of(byte[] data)
        {
            try
            {
                return Json.Of(Decoded(data));
            }
            catch (WireException)
            {
                return null;
            }
        }

        /// <summary>The code of the refusal, as a server's Error would have it; null where the bytes are taken.</summary>
        internal static string? RefusalOf(byte[] data)
        {
            try
            {
                Decoded(data);
                return null;
            }
            catch (WireException error)
            {
                return error.GetType().Name.Replace("Exception", "");
            }
        }

        private static IDictionary<string, object?> Decoded(byte[] data)
        {
            if (data.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(data) == Constants.SurfaceMagic)
            {
                return Surface(SurfacePayload.Decode(data));
            }

            if (data.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(data) == Constants.CompressedMagic)
            {
                byte[] payload = new CompressedSurface().Restore(data);
                var meaning = new Dictionary<string, object?> { ["payload"] = new ReadOnlyMemory<byte>(payload) };
                foreach (var (name, value) in Surface(SurfacePayload.Decode(payload)))
                {
                    meaning[name] = value;
                }

                return meaning;
            }

            var header = Envelope.Read((ReadOnlyMemory<byte>)data, out _);
            if (header.MessageType == (ushort)MessageType.PoseBatch)
            {
                var batch = new PoseBatch();
                new PoseBatchDecoder().Decode(data, batch);
                var tools = Enumerable.Range(0, batch.Count).Select(index => Tool(batch[index])).ToList();
                return Whole(header, ("reason", batch.Reason), ("tools", tools));
            }

            var message = MessageCodec.Decode(data, out header);
            var writer = new WireWriter();
            MessageCodec.Encode(message, header, writer);
            return Whole(header, ("message", Plain(message)), ("encoded", writer.Written));
        }

        private static IDictionary<string, object?> Whole(
            MessageHeader header, params (string Name, object? Value)[] rest)
        {
            var whole = new Dictionary<string, object?>
            {
                ["type"] = Json.Snake(((MessageType)header.MessageType).ToString()).ToUpperInvariant(),
                ["header"] = Header(header),
            };
            foreach (var (name, value) in rest)
            {
                whole[name] = value;
            }

            return whole;
        }

        private static IDictionary<string, object?> Header(MessageHeader header)
        {
            return new Dictionary<string, object?>
            {
                ["message_type"] = header.MessageType,
                ["sequence"] = header.Sequence,
                ["capture_ns"] = header.CaptureNs,
                ["clock"] = header.Clock,
                ["session_id"] = header.SessionId.ToString(),
                ["validity"] = header.Validity == Validity.Unset ? null : header.Validity.Word(),
                ["flags"] = header.Flags,
                ["minor"] = header.Minor,
            };
        }

        private static IDictionary<string, object?> Tool(ToolPose tool)
        {
            var position = tool.PositionM;
            var rotation = tool.RotationXyzw;
            var pose = new Dictionary<string, object?>
            {
                ["position_m"] = new List<float> { position.X, position.Y, position.Z },
                ["rotation_xyzw"] = new List<float> { rotation.X, rotation.Y, rotation.Z, rotation.W },
                ["to_frame"] = tool.ToFrame,
                ["from_frame"] = tool.FromFrame,
            };
            return new Dictionary<string, object?>
            {
                ["tool"] = tool.Tool,
                ["to_frame"] = tool.ToFrame,
                ["from_frame"] = tool.FromFrame,
                ["validity"] = tool.Validity.Word(),
                ["reason"] = tool.Reason,
                ["pose"] = tool.HasPose ? pose : null,
                ["capture_ns"] = tool.CaptureNs,
                ["expected_error_mm"] = tool.ExpectedErrorMm,
                ["registration_id"] = tool.RegistrationId,
                ["covariance_mm2"] = Covariance(tool.Covariance),
                ["raw"] = IsFiltered(tool.Filtered) ? Measured(tool) : null,
                ["delay_ms"] = tool.Filtered.DelayMs,
                ["ahead_ms"] = tool.Filtered.AheadMs,
            };
        }

        private static bool IsFiltered(FilteredRecord filtered)
        {
            var turn = filtered.RawRotationXyzw;
            return turn.X != 0.0f || turn.Y != 0.0f || turn.Z != 0.0f || turn.W != 0.0f;
        }

        private static IDictionary<string, object?> Measured(ToolPose tool)
        {
            var place = tool.Filtered.RawPositionM;
            var turn = tool.Filtered.RawRotationXyzw;
            return new Dictionary<string, object?>
            {
                ["position_m"] = new List<float> { place.X, place.Y, place.Z },
                ["rotation_xyzw"] = new List<float> { turn.X, turn.Y, turn.Z, turn.W },
                ["to_frame"] = tool.ToFrame,
                ["from_frame"] = tool.FromFrame,
            };
        }

        private static List<object?>? Covariance(CovarianceRecord covariance)
        {
            var own = covariance.VariancesMm2;
            var both = covariance.CovariancesMm2;
            if (own.X + own.Y + own.Z == 0.0f)
            {
                return null;
            }

            return new List<object?>
            {
                new List<float> { own.X, both.Z, both.Y },
                new List<float> { both.Z, own.Y, both.X },
                new List<float> { both.Y, both.X, own.Z },
            };
        }

        private static IDictionary<string, object?> Surface(SurfacePayload surface)
        {
            double step = surface.EdgeM / Constants.PositionSteps;
            var vertices = new List<object?>();
            var normals = new List<object?>();
            for (int at = 0; at < surface.Vertices.Length; at += SurfaceVertex.Size)
            {
                var vertex = surface.Vertices.Span.Slice(at, SurfaceVertex.Size);
                vertices.Add(new List<double>
                {
                    (U16(vertex, 0) * step) + surface.MinimumM.X,
                    (U16(vertex, 2) * step) + surface.MinimumM.Y,
                    (U16(vertex, 4) * step) + surface.MinimumM.Z,
                });
                var normal = vertex.Slice(SurfaceVertex.NormalOffset);
                normals.Add(Enumerable.Range(0, 3).Zip(normal.ToArray(), (_, q) => (sbyte)q / 127.0).ToList());
            }

            var triangles = new List<object?>();
            var indices = surface.Indices.ToArray();
            for (int at = 0; at < indices.Length; at += 3 * surface.IndexBytes)
            {
                triangles.Add(Enumerable.Range(0, 3).Select(corner => Index(surface, indices, at, corner)).ToList());
            }

            var inner = new Dictionary<string, object?>
            {
                ["vertices_m"] = vertices,
                ["normals"] = normals,
                ["triangles"] = triangles,
                ["frame"] = surface.Frame,
                ["name"] = surface.Name,
            };
            return new Dictionary<string, object?> { ["surface"] = inner, ["quantisation_step_m"] = step };
        }

        private static ushort U16(ReadOnlySpan<byte> vertex, int offset)
        {
            return BinaryPrimitives.ReadUInt16LittleEndian(vertex.Slice(SurfaceVertex.PositionOffset + offset));
        }

        private static uint Index(in SurfacePayload surface, byte[] indices, int at, int corner)
        {
            at += corner * surface.IndexBytes;
            return surface.IndexBytes == 2 ? BitConverter.ToUInt16(indices, at) : BitConverter.ToUInt32(indices, at);
        }

        /// <summary>The properties of a message by the schema's names.</summary>
        private static object? Plain(object? value)
        {
            switch (value)
            {
                case Validity validity:
                    return validity.Word();
                case Enum other:
                    var codes = other.GetType().Assembly.GetType(other.GetType().FullName + "Codes")!;
                    return codes.GetMethod("Word")!.Invoke(null, new object[] { other });
                case null:
                case string _:
                case ReadOnlyMemory<byte> _:
                    return value;
                case IEnumerable many:
                    return many.Cast<object?>().Select(Plain).ToList();
            }

            if (value.GetType().Namespace != typeof(IMessage).Namespace)
            {
                return value;
            }

            return value.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.Name != nameof(IMessage.WireType))
                .ToDictionary(property => Json.Snake(property.Name), property => Plain(property.GetValue(value)));
        }
    }
}
