// Generated from unity_bridge/wire/wire_schema.toml by `make wire`: edit that, not this.
#nullable enable
using System;
using System.Collections.Generic;

namespace SurgNav.Core.Wire
{
    /// <summary>A surface at one level of detail, and the forms in which it may be pulled.</summary>
    public sealed class SurfaceLevel
    {
        /// <summary>Of the level's payload.</summary>
        public string Sha256 { get; set; } = "";
        public uint VertexCount { get; set; }
        /// <summary>Grows from level to level.</summary>
        public uint TriangleCount { get; set; }
        /// <summary>Size of the payload.</summary>
        public ulong ByteCount { get; set; }
        /// <summary>Positions are off by half of this along each axis at most.</summary>
        public double QuantisationStepMm { get; set; }
        /// <summary>From the full surface, measured at samples of both: the largest; 0 for the full one.</summary>
        public double DeviationMaxMm { get; set; }
        /// <summary>95 of 100 samples are nearer than this.</summary>
        public double DeviationP95Mm { get; set; }
        /// <summary>Of the compressed form, if there is one.</summary>
        public string? CompressedSha256 { get; set; }
        public ulong CompressedByteCount { get; set; }
        /// <summary>Of the level as a GLB file, if there is one.</summary>
        public string? GlbSha256 { get; set; }
        public ulong GlbByteCount { get; set; }

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceLevel Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceLevel();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "vertex_count");
                        message.VertexCount = fields.U32();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "triangle_count");
                        message.TriangleCount = fields.U32();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "byte_count");
                        message.ByteCount = fields.U64();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "quantisation_step_mm");
                        message.QuantisationStepMm = fields.F64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "deviation_max_mm");
                        message.DeviationMaxMm = fields.F64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "deviation_p95_mm");
                        message.DeviationP95Mm = fields.F64();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "compressed_sha256");
                        message.CompressedSha256 = fields.Sha256();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "compressed_byte_count");
                        message.CompressedByteCount = fields.U64();
                        break;
                    case 10:
                        FieldReader.Once(ref seen, 9, "glb_sha256");
                        message.GlbSha256 = fields.Sha256();
                        break;
                    case 11:
                        FieldReader.Once(ref seen, 10, "glb_byte_count");
                        message.GlbByteCount = fields.U64();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7F, "SurfaceLevel", "sha256, vertex_count, triangle_count, byte_count, quantisation_step_mm, deviation_max_mm, deviation_p95_mm");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Sha256(1, Sha256);
            writer.U32(2, VertexCount);
            writer.U32(3, TriangleCount);
            writer.U64(4, ByteCount);
            writer.F64(5, QuantisationStepMm);
            writer.F64(6, DeviationMaxMm);
            writer.F64(7, DeviationP95Mm);
            if (CompressedSha256 is { } value8)
            {
                writer.Sha256(8, value8);
            }

            writer.U64(9, CompressedByteCount);
            if (GlbSha256 is { } value10)
            {
                writer.Sha256(10, value10);
            }

            writer.U64(11, GlbByteCount);
        }
    }

    /// <summary>One surface on offer.</summary>
    public sealed class SurfaceEntry
    {
        public string Name { get; set; } = "";
        public string Sha256 { get; set; } = "";
        public uint VertexCount { get; set; }
        public uint TriangleCount { get; set; }
        /// <summary>Size of the payload that `sha256` addresses.</summary>
        public ulong ByteCount { get; set; }
        /// <summary>Positions are off by half of this along each axis at most.</summary>
        public double QuantisationStepMm { get; set; }
        /// <summary>The frame that the surface hangs from, such as 'ct'.</summary>
        public string Frame { get; set; } = "";
        /// <summary>'approved' or 'edited'; 'suggested' in a research session only.</summary>
        public string Approval { get; set; } = "";
        /// <summary>The person who decided; empty for 'suggested'.</summary>
        public string ApprovedBy { get; set; } = "";
        /// <summary>Coarse first; the last is the full surface, that of the fields above.</summary>
        public List<SurfaceLevel> Levels { get; } = new List<SurfaceLevel>();

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceEntry Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceEntry();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "name");
                        message.Name = fields.Text();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "vertex_count");
                        message.VertexCount = fields.U32();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "triangle_count");
                        message.TriangleCount = fields.U32();
                        break;
                    case 5:
                        FieldReader.Once(ref seen, 4, "byte_count");
                        message.ByteCount = fields.U64();
                        break;
                    case 6:
                        FieldReader.Once(ref seen, 5, "quantisation_step_mm");
                        message.QuantisationStepMm = fields.F64();
                        break;
                    case 7:
                        FieldReader.Once(ref seen, 6, "frame");
                        message.Frame = fields.Text();
                        break;
                    case 8:
                        FieldReader.Once(ref seen, 7, "approval");
                        message.Approval = fields.Text();
                        break;
                    case 9:
                        FieldReader.Once(ref seen, 8, "approved_by");
                        message.ApprovedBy = fields.Text();
                        break;
                    case 10:
                        FieldReader.CheckRepeats(message.Levels.Count, "levels");
                        message.Levels.Add(SurfaceLevel.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0xFF, "SurfaceEntry", "name, sha256, vertex_count, triangle_count, byte_count, quantisation_step_mm, frame, approval");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Text(1, Name);
            writer.Sha256(2, Sha256);
            writer.U32(3, VertexCount);
            writer.U32(4, TriangleCount);
            writer.U64(5, ByteCount);
            writer.F64(6, QuantisationStepMm);
            writer.Text(7, Frame);
            writer.Text(8, Approval);
            writer.Text(9, ApprovedBy);
            foreach (var each in Levels)
            {
                int start10 = writer.Begin(10);
                each.Encode(writer);
                writer.End(start10);
            }

        }
    }

    /// <summary>Asks for the manifest.</summary>
    public sealed class SurfaceListRequest : IMessage
    {
        public MessageType WireType => MessageType.SurfaceListRequest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceListRequest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceListRequest();
            var fields = new FieldReader(body);
            while (fields.Next())
            {
            }

            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
        }
    }

    /// <summary>All surfaces on offer.</summary>
    public sealed class SurfaceManifest : IMessage
    {
        /// <summary>Grows with every change.</summary>
        public ulong Revision { get; set; }
        public List<SurfaceEntry> Surfaces { get; } = new List<SurfaceEntry>();

        public MessageType WireType => MessageType.SurfaceManifest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceManifest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceManifest();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "revision");
                        message.Revision = fields.U64();
                        break;
                    case 2:
                        FieldReader.CheckRepeats(message.Surfaces.Count, "surfaces");
                        message.Surfaces.Add(SurfaceEntry.Decode(fields.Blob()));
                        break;
                }
            }

            FieldReader.Require(seen, 0x1, "SurfaceManifest", "revision");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.U64(1, Revision);
            foreach (var each in Surfaces)
            {
                int start2 = writer.Begin(2);
                each.Encode(writer);
                writer.End(start2);
            }

        }
    }

    /// <summary>Asks for one chunk: the client's credit. The server may send fewer bytes than `length`, never more.</summary>
    public sealed class SurfaceChunkRequest : IMessage
    {
        public string Sha256 { get; set; } = "";
        public ulong Offset { get; set; }
        public uint Length { get; set; }

        public MessageType WireType => MessageType.SurfaceChunkRequest;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceChunkRequest Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceChunkRequest();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "offset");
                        message.Offset = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "length");
                        message.Length = fields.U32();
                        break;
                }
            }

            FieldReader.Require(seen, 0x7, "SurfaceChunkRequest", "sha256, offset, length");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Sha256(1, Sha256);
            writer.U64(2, Offset);
            writer.U32(3, Length);
        }
    }

    /// <summary>Bytes of a surface, in the form that the hash addresses.</summary>
    public sealed class SurfaceChunk : IMessage
    {
        public string Sha256 { get; set; } = "";
        public ulong Offset { get; set; }
        /// <summary>Size of the whole.</summary>
        public ulong TotalBytes { get; set; }
        public ReadOnlyMemory<byte> Data { get; set; }

        public MessageType WireType => MessageType.SurfaceChunk;

        /// <summary>Reads the fields, skipping unknown tags. Blobs are views of the body.</summary>
        /// <exception cref="WireException">A field that is missing, comes twice, or holds what it cannot.</exception>
        public static SurfaceChunk Decode(ReadOnlyMemory<byte> body)
        {
            var message = new SurfaceChunk();
            ulong seen = 0;
            var fields = new FieldReader(body);
            while (fields.Next())
            {
                switch (fields.Tag)
                {
                    case 1:
                        FieldReader.Once(ref seen, 0, "sha256");
                        message.Sha256 = fields.Sha256();
                        break;
                    case 2:
                        FieldReader.Once(ref seen, 1, "offset");
                        message.Offset = fields.U64();
                        break;
                    case 3:
                        FieldReader.Once(ref seen, 2, "total_bytes");
                        message.TotalBytes = fields.U64();
                        break;
                    case 4:
                        FieldReader.Once(ref seen, 3, "data");
                        message.Data = fields.Blob();
                        break;
                }
            }

            FieldReader.Require(seen, 0xF, "SurfaceChunk", "sha256, offset, total_bytes, data");
            return message;
        }

        /// <exception cref="WireException">A value that the wire does not allow.</exception>
        public void Encode(WireWriter writer)
        {
            writer.Sha256(1, Sha256);
            writer.U64(2, Offset);
            writer.U64(3, TotalBytes);
            writer.Blob(4, Data);
        }
    }
}
